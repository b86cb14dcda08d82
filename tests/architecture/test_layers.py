"""The layers of ARCHITECTURE.md, held true: imports only point down, and rooms meet at their doors."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "herd"

# ARCHITECTURE.md shows this table as a picture. Rooms on one line are strangers to each other.
LAYERS: list[set[str]] = [
    {"foundation"},
    {"tokenizer", "ops", "stability"},
    {"model", "parallel", "data", "dialog"},
    {"training", "tools", "evals"},
    {"pretraining", "inference"},
    {"posttraining", "scaling"},
    {"safety", "vision", "speech"},
    {"serving", "language_model", "evaluation"},
    {"recipes"},
    {"cli"},
]
SIDEWAYS = {  # the arrows drawn between rooms of a layer
    ("parallel", "model"),
    ("evaluation", "language_model"),
}
LAYER_OF = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)
ROOT_FILES = [PACKAGE / "language_model.py", PACKAGE / "evaluation.py"]


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Every import in a file, local and type-checking ones too: line, module, names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.lineno, node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, []


def rooms_imported(path: Path) -> Iterator[tuple[int, str, str]]:
    """The imports of other rooms in a file: line, room, module as written."""
    for line, module, names in imports_of(path):
        modules = [f"herd.{name}" for name in names] if module == "herd" else [module]
        for each in modules:
            if each.startswith("herd."):
                room = each.split(".")[1]
                if room != room_of(path):
                    yield line, room, each


def violations_of(path: Path) -> list[str]:
    here = room_of(path)
    found = []
    for line, room, module in rooms_imported(path):
        where = f"{path.relative_to(PACKAGE)}:{line}"
        if room not in LAYER_OF:
            found.append(f"{where}: {module} is no room of ARCHITECTURE.md")
        elif LAYER_OF[room] >= LAYER_OF[here] and (here, room) not in SIDEWAYS:
            found.append(f"{where}: {here} (layer {LAYER_OF[here]}) imports {module}, not below it")
        if module.count(".") > 1:
            found.append(f"{where}: {module} is behind the door of {room}; import from herd.{room}")
    return found


@pytest.mark.parametrize(
    "path", FILES + ROOT_FILES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_point_down_and_go_through_doors(path: Path) -> None:
    assert violations_of(path) == []


@pytest.mark.parametrize("room", sorted({room_of(path) for path in FILES}))
def test_every_folder_is_a_room_of_the_plan_with_a_door(room: str) -> None:
    assert room in LAYER_OF
    assert (PACKAGE / room / "__init__.py").exists()


@pytest.mark.parametrize("room", sorted({room_of(path) for path in FILES}))
def test_a_door_holds_imports_and_a_sorted_list_of_names_only(room: str) -> None:
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text())
    assert ast.get_docstring(tree), "a door says what comes in, what goes out, and what never"
    exported: list[str] = []
    for node in tree.body[1:]:
        if isinstance(node, ast.Assign):
            assert [ast.unparse(target) for target in node.targets] == ["__all__"]
            exported = ast.literal_eval(node.value)
        else:
            assert isinstance(node, ast.Import | ast.ImportFrom), ast.unparse(node)
    assert exported == sorted(exported)


def test_the_check_itself_sees_a_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    offender = tmp_path / "model" / "bad.py"
    offender.write_text(
        "def f():\n    from herd.training import train\n    from herd.ops.norm import rms_norm\n"
    )
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    upward, behind_door = violations_of(offender)
    assert "not below it" in upward
    assert "behind the door" in behind_door


def test_no_file_is_named_after_nothing_in_particular() -> None:
    vague = {"utils", "util", "common", "helpers", "base", "manager", "misc"}
    assert [path for path in FILES if path.stem in vague] == []
