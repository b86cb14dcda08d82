"""The docs tell the truth: links lead somewhere, commands exist, every verb and room has its place."""

import re
from pathlib import Path

import pytest
import typer

from herd.cli.main import VERBS, LazyVerbs, herd

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ROOMS = sorted(p.parent.name for p in (ROOT / "src/herd").glob("*/__init__.py"))


def command_of(verb: str) -> object:
    group = typer.main.get_command(herd)
    assert isinstance(group, LazyVerbs)
    return group.get_command(None, verb)


def options_of(command: object) -> set[str]:
    found = {"--help", "-h", "-"}
    for parameter in getattr(command, "params", []):
        found.update([*parameter.opts, *parameter.secondary_opts])
    for child in getattr(command, "commands", {}).values():
        found |= options_of(child)
    return found


def herd_commands(text: str) -> list[str]:
    """Lines of shell blocks that call herd, continuation lines joined, comments dropped."""
    blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", text, flags=re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = [line.strip().removeprefix("$ ").split("  #")[0] for line in lines]
    return [line for line in commands if re.match(r"(\.venv/bin/)?herd [a-z]", line)]


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_begins_with_the_line_the_root_shows(verb: str) -> None:
    help_text = " ".join((getattr(command_of(verb), "help", "") or "").split())
    assert help_text.startswith(VERBS[verb])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_docs_use_verbs_and_options_that_exist(page: Path) -> None:
    for line in herd_commands(page.read_text()):
        verb, *words = line.removeprefix(".venv/bin/").split()[1:]
        assert verb in VERBS, line
        used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= options_of(command_of(verb)), line


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "cli"])
def test_every_room_has_a_page_and_stands_in_the_architecture(room: str) -> None:
    assert (ROOT / "docs" / f"{room}.md").exists()
    assert f"`{room}/`" in (ROOT / "ARCHITECTURE.md").read_text()


def test_the_architecture_names_every_file() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    files = [p for p in (ROOT / "src/herd").rglob("*.py") if p.name != "__init__.py"]
    assert [str(p) for p in files if f"`{p.name}`" not in text] == []


def test_no_tracked_text_names_a_place_on_one_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(?:work|root|home|mnt)/")
    sources = [
        p for folder in ("src", "tests", "docs", "benchmarks") for p in (ROOT / folder).rglob("*.*")
    ]
    texts = [
        p for p in sources if p.suffix in (".py", ".md", ".jinja", ".html") and p != Path(__file__)
    ]
    assert [str(p) for p in texts if pattern.search(p.read_text())] == []
