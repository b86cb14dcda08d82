"""Two sides become duels: files and models, what has no partner is said."""

import pytest

from herd.evals.arena import file_side, make_duels, model_side, side_names
from herd.foundation import UserError


def echo(dialogs):
    return [f"echo of {one[-1]['content']}" for one in dialogs]


def files(*paths):
    return tuple(file_side(path.stem, path) for path in paths)


def test_two_files_are_paired_by_id(two_files) -> None:
    duels, notes = make_duels(files(*two_files), None)
    assert [one.answers for one in duels] == [(f"good {i}", f"bad {i}") for i in range(5)]
    assert duels[0].messages == ({"role": "user", "content": "question 0"},)
    assert {one.category for one in duels} == {"c"} and notes == []


def test_what_only_one_file_has_is_counted_and_said(two_files, write) -> None:
    more = [{"id": f"q{i}", "prompt": f"question {i}", "answer": "x"} for i in (3, 4, 5, 6)]
    duels, notes = make_duels(files(two_files[0], write("more.jsonl", more)), None)
    assert [one.item_id for one in duels] == ["q3", "q4"]
    assert notes == [
        "good: 2 prompts without an answer, such as 'q5'",
        "more: 3 prompts without an answer, such as 'q0'",
    ]


def test_a_file_of_prompts_decides_what_is_compared(two_files, write) -> None:
    prompts = write("p.jsonl", [{"id": "q4", "prompt": "question 4", "category": "other"}])
    duels, notes = make_duels(files(*two_files), prompts)
    assert [(one.item_id, one.category) for one in duels] == [("q4", "other")]
    assert notes[0] == "good: 4 answers without a prompt, such as 'q0'"


def test_a_model_answers_the_prompts_of_a_file_of_answers(two_files) -> None:
    side = model_side("m", echo, {"temperature": 0.0})
    side.notes.append("2 answers ended by the budget of tokens")
    duels, notes = make_duels((files(two_files[0])[0], side), None, limit=2)
    assert [one.answers for one in duels] == [
        ("good 0", "echo of question 0"),
        ("good 1", "echo of question 1"),
    ]
    assert notes[-1] == "m: 2 answers ended by the budget of tokens"


def test_swapping_the_models_swaps_answers_and_not_what_is_shown(two_files) -> None:
    there, _ = make_duels(files(*two_files), None, seed=3)
    back, _ = make_duels(files(*reversed(two_files)), None, seed=3)
    assert [one.answers for one in there] == [one.answers[::-1] for one in back]
    assert [one.shown() for one in there] == [one.shown() for one in back]


def test_two_models_need_prompts() -> None:
    sides = model_side("a", echo, {}), model_side("b", echo, {})
    with pytest.raises(UserError, match="give a JSONL file of them with --prompts"):
        make_duels(sides, None)


def test_files_without_a_common_id_are_refused_with_examples(two_files, write) -> None:
    other = write("other.jsonl", [{"id": "z", "prompt": "p", "answer": "x"}])
    with pytest.raises(UserError, match="no id is common to good, other .*'q0'.*'z'"):
        make_duels(files(two_files[0], other), None)


def test_answers_to_different_prompts_are_refused(two_files, write) -> None:
    other = write("other.jsonl", [{"id": "q1", "prompt": "another", "answer": "x"}])
    with pytest.raises(UserError, match="prompt of id 'q1' is another"):
        make_duels(files(two_files[0], other), None)


def test_sides_are_named_shortly_where_that_tells_them_apart() -> None:
    assert side_names("runs/a.jsonl", "smollm2-135m") == ("a", "smollm2-135m")
    assert side_names("x/a.jsonl", "y/a.jsonl.gz") == ("x/a.jsonl", "y/a.jsonl.gz")
    with pytest.raises(UserError, match="against itself"):
        side_names("m", "m")


def test_a_limit_takes_the_first_of_files_too(two_files) -> None:
    assert [one.item_id for one in make_duels(files(*two_files), None, limit=2)[0]] == ["q0", "q1"]
    for limit in (0, -1):
        with pytest.raises(UserError, match=f"--limit is {limit}; give 1 or more"):
            make_duels(files(*two_files), None, limit=limit)


def test_names_that_are_no_unicode_can_be_compared(two_files) -> None:
    names = "\udcff-model", "other"
    pair = tuple(file_side(name, path) for name, path in zip(names, two_files, strict=True))
    assert len(make_duels(pair, None)[0]) == 5
