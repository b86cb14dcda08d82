"""Answers are judged by what they say: mathematics by value, short answers by words, programs by tests."""

import time
from dataclasses import dataclass

import pytest

from herd.evals.answers.mathematics import same_answer
from herd.evals.answers.programs import score_programs
from herd.evals.answers.short_answer import exact_match, word_f1


@pytest.mark.parametrize(
    ("solution", "gold", "is_right"),
    [
        ("So the answer is $\\frac{1}{2}$.", "0.5", True),
        ("We get \\boxed{0.5}", "\\frac{1}{2}", True),
        (
            "Final Answer: The final answer is $2\\sqrt{3}$. I hope it is correct.",
            "2\\sqrt{3}",
            True,
        ),
        ("It is 27", "27.0", True),
        ("The answer is 1,234 dollars.", "1234", True),
        ("The answer is $x = 5$", "5", True),
        ("Therefore 41.", "42", False),
        ("", "42", False),
        ("I do not know.", "42", False),
    ],
)
def test_mathematics_is_compared_by_value(solution: str, gold: str, is_right: bool) -> None:
    assert same_answer(solution, gold) == is_right


@pytest.mark.parametrize(
    "answer", ["9" * 100_000, "$" + "(" * 50_000, "\\frac{" * 20_000, "x^" * 50_000]
)
def test_an_answer_of_100000_characters_takes_no_more_than_its_time(answer: str) -> None:
    started = time.monotonic()
    assert not same_answer(answer, "42")
    assert time.monotonic() - started < 30


def test_short_answers_lose_nothing_by_articles_case_and_points() -> None:
    assert exact_match("The Eiffel Tower.", ["eiffel tower"]) == 1
    assert word_f1("the big red house", ["red house"]) == pytest.approx(0.8)
    assert word_f1("", ["x"]) == 0 and word_f1("", ["the"]) == 1
    assert word_f1("blue", ["red", "blue"]) == 1


@dataclass
class Verdict:
    passed: bool
    status: str = "finished"


def test_pass_at_k_counts_what_passed_and_says_how_the_rest_ended() -> None:
    verdicts = [Verdict(True), Verdict(False), Verdict(False, "timeout"), Verdict(True)]
    programs = [[("a", "t"), ("b", "t")], [("c", "t"), ("d", "t")]]
    found, endings = score_programs(programs, lambda asked: verdicts[: len(asked)], ks=(1, 2))
    assert [one.scores for one in found] == [{"pass@1": 0.5, "pass@2": 1.0}] * 2
    assert endings == {"passed": 2, "wrong": 1, "timeout": 1}
    assert found[1].endings == ("timeout", "passed")
