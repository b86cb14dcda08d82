"""The directory of a comparison: made once, the same at every call, never of two comparisons."""

import json

import pytest

from herd.evals.arena import file_side, model_side, open_arena, read_arena
from herd.foundation import UserError


def sides(paths):
    return tuple(file_side(path.stem, path) for path in paths)


def test_the_second_call_gives_the_same_without_asking_a_model(tmp_path, two_files) -> None:
    calls = []

    def answer(dialogs):
        calls.append(len(dialogs))
        return ["x" * 120_000] * len(dialogs)

    pair = sides(two_files)[0], model_side("m", answer, {"temperature": 0.6})
    first = open_arena(tmp_path / "out", pair, two_files[0], seed=4, limit=3)
    again = open_arena(tmp_path / "out", pair)
    assert first == again == read_arena(tmp_path / "out")
    assert calls == [3] and len(again.duels) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("swap", "first side is good .* not bad"),
        ("content", "second side is bad .sha256 "),
        ("seed", "seed is 0, not 5"),
        ("limit", "limit is None, not 2"),
        ("prompts", "file of prompts is None, not p.jsonl"),
    ],
)
def test_another_comparison_in_the_same_directory_is_refused(
    tmp_path, two_files, write, change, words
) -> None:
    open_arena(tmp_path / "out", sides(two_files))
    options = {"seed": 5} if change == "seed" else {"limit": 2} if change == "limit" else {}
    if change == "content":
        two_files[1].write_text(two_files[1].read_text().replace("bad 3", "worse 3"))
    prompts = (
        write("p.jsonl", [{"id": "q1", "prompt": "question 1"}]) if change == "prompts" else None
    )
    pair = two_files[::-1] if change == "swap" else two_files
    with pytest.raises(UserError, match=words):
        open_arena(tmp_path / "out", sides(pair), prompts, **options)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": 9}', '{"format": 1, "models": ["a", "b"], "duels": []}']
)
def test_a_damaged_comparison_is_refused_in_one_line(tmp_path, two_files, content) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "duels.json").write_text(content)
    with pytest.raises(UserError, match=r"duels\.json"):
        open_arena(out, sides(two_files))


@pytest.mark.parametrize(
    "change",
    [
        {"id": []},
        {"left": 0.0},
        {"messages": []},
        {"messages": [5]},
        {"answers": ["a", 5]},
        {"category": 5},
    ],
    ids=str,
)
def test_a_duel_that_was_changed_to_none_is_refused_in_one_line(
    tmp_path, two_files, change
) -> None:
    out = tmp_path / "out"
    open_arena(out, sides(two_files))
    stored = json.loads((out / "duels.json").read_text())
    stored["duels"][0] |= change
    (out / "duels.json").write_text(json.dumps(stored))
    with pytest.raises(UserError, match=r"duels\.json is no comparison of Herd's"):
        read_arena(out)


def test_the_page_id_says_nothing_about_who_is_who(tmp_path, two_files) -> None:
    there = open_arena(tmp_path / "a", sides(two_files))
    back = open_arena(tmp_path / "b", sides(two_files[::-1]))
    assert there.page_id == back.page_id
    assert json.loads((tmp_path / "a/duels.json").read_text())["page"] == there.page_id
