"""Answers are kept, found again, and a line cut short by a kill costs that answer only."""

from pathlib import Path

import pytest

from herd.evals.answer_cache import AnswerCache, continuation_key, score_key
from herd.evals.evaluated_model import ToContinue, ToScore
from herd.foundation import UserError


def test_what_was_put_is_found_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "answers.jsonl"
    with AnswerCache(path) as cache:
        cache.put("a", [-1.5, True])
        cache.put("b", [{"text": "\ud800 odd \n text", "n_tokens": 3}])
    with AnswerCache(path) as cache:
        assert (cache.get("a"), cache.get("b")[0]["n_tokens"], cache.get("c")) == (
            [-1.5, True],
            3,
            None,
        )


def test_a_line_cut_short_is_dropped_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswerCache(path) as cache:
        for i in range(3):
            cache.put(str(i), i)
    path.write_bytes(path.read_bytes()[:-4])
    with AnswerCache(path) as cache:
        assert len(cache) == 2
        cache.put("new", 9)
    with AnswerCache(path) as cache:
        assert (len(cache), cache.get("new")) == (3, 9)


def test_an_interruption_keeps_what_came_before_it(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt), AnswerCache(path) as cache:
        cache.put("a", 1)
        raise KeyboardInterrupt
    with AnswerCache(path) as cache:
        assert cache.get("a") == 1


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"), AnswerCache(tmp_path / "file" / "x"):
        pass


def test_keys_differ_where_questions_do() -> None:
    questions = [ToScore((1, 2), (3,)), ToScore((1,), (2, 3)), ToScore((1, 2), (4,))]
    assert len({score_key(one) for one in questions}) == 3
    base = ToContinue(prompt=(1,), max_new_tokens=4)
    others = [
        ToContinue(prompt=(1,), max_new_tokens=5),
        ToContinue(prompt=(1,), max_new_tokens=4, stop=("x",)),
        ToContinue(prompt=(1,), max_new_tokens=4, temperature=1.0),
        ToContinue(prompt=(1,), max_new_tokens=4, temperature=1.0, seed=1),
        ToContinue(prompt=(1,), max_new_tokens=4, is_chat=True),
    ]
    assert len({continuation_key(one) for one in [base, *others]}) == 6
    assert continuation_key(ToContinue(prompt=(1,), max_new_tokens=4, seed=7)) == continuation_key(
        base
    )
