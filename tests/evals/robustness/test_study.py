"""The study of robustness: variants change one thing, and the spread is what it finds."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from herd.evals.robustness.page import robustness_page, show_robustness
from herd.evals.robustness.question import Question, questions_of
from herd.evals.robustness.study import robustness_study
from herd.evals.robustness.variants import EXAMPLE_LABELS, PLAIN, VARIANTS, prompt_of, right_label
from herd.foundation import UserError

from ..conftest import write_rows

EXAMPLES = tuple(Question(f"Example {n}?", ("aa", "bb", "cc", "dd"), n) for n in range(4))
QUESTIONS = [
    Question(f"Which is number {n}?", ("red", "green", "blue", "grey"), n % 4, EXAMPLES)
    for n in range(12)
]


def test_the_plain_prompt_is_the_harnesss_for_mmlu() -> None:
    assert prompt_of(QUESTIONS[0], PLAIN) == (
        "Example 0?\nA. aa\nB. bb\nC. cc\nD. dd\nAnswer: A\n\n"
        "Example 1?\nA. aa\nB. bb\nC. cc\nD. dd\nAnswer: B\n\n"
        "Example 2?\nA. aa\nB. bb\nC. cc\nD. dd\nAnswer: C\n\n"
        "Example 3?\nA. aa\nB. bb\nC. cc\nD. dd\nAnswer: D\n\n"
        "Which is number 0?\nA. red\nB. green\nC. blue\nD. grey\nAnswer:"
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda one: f"{one.axis}: {one.name}")
def test_every_variant_keeps_the_right_answer_at_its_label(variant) -> None:
    for question in QUESTIONS[:4]:
        asked = prompt_of(question, variant).split("\n\n")[-1].splitlines()
        label = variant.labels[right_label(question, variant)]
        assert f"{label}{variant.mark} {question.choices[question.gold]}" in asked


@pytest.mark.parametrize("variant", EXAMPLE_LABELS, ids=lambda one: one.name)
def test_examples_carry_the_labels_that_the_variant_is_named_by(variant) -> None:
    prompt = prompt_of(QUESTIONS[0], variant)
    shown = [block.splitlines() for block in prompt.split("\n\n")[:4]]
    assert "".join(lines[-1].removeprefix("Answer: ") for lines in shown) == variant.name
    for lines, example in zip(shown, EXAMPLES, strict=True):
        assert f"{lines[-1][-1]}. {example.choices[example.gold]}" in lines


def test_a_model_that_looks_at_the_answers_is_robust_and_one_that_loves_a_label_is_not(
    oracle: Callable,
) -> None:
    """The first always says where `red` stands, the second always the first label."""
    clever, biased = {}, {}
    for variant in VARIANTS:
        for question in QUESTIONS:
            ending = prompt_of(question, variant)
            clever[ending] = variant.labels[right_label(question, variant)]
            biased[ending] = variant.labels[0]
    good = robustness_study(QUESTIONS, oracle(clever))
    assert all(axis["lowest"] == 1.0 for axis in good["axes"].values())
    assert all(axis["agreement"] == 1.0 for axis in good["axes"].values())
    bad = robustness_study(QUESTIONS, oracle(biased))
    assert bad["variants"][0]["chosen"] == [1.0, 0.0, 0.0, 0.0]
    assert bad["axes"]["order of the answers"]["agreement"] == 0.0
    console = Console(file=io.StringIO(), width=140)
    show_robustness(bad, console)
    assert "order of the answers" in console.file.getvalue()  # type: ignore[attr-defined]
    page = robustness_page(bad)
    assert page.count("order of the answers: ") == 5 and "$ &amp; # @" in page


def test_questions_come_evenly_with_examples_that_are_not_asked(bench: Path) -> None:
    found = questions_of(["mmlu_anatomy", "arc_easy"], bench, 6)
    assert [one.text.startswith("What is") for one in found] == [True] * 6
    arc = questions_of(["arc_easy"], bench, 100)
    assert len(arc) == 20 and not {one.text for one in arc} & {e.text for e in arc[0].examples}


def test_answers_of_one_character_are_answers_and_bare_labels_are_not(bench: Path) -> None:
    rows = [{"query": f"Is it {n}?", "choices": ["0", "1", "2", "3"], "gold": 1} for n in range(9)]
    write_rows(bench / "arc_easy.jsonl.gz", rows)
    assert len(questions_of(["arc_easy"], bench, 9)) == 5
    write_rows(bench / "arc_easy.jsonl.gz", [{**row, "choices": list("ABCD")} for row in rows])
    with pytest.raises(UserError, match="no questions with four answers"):
        questions_of(["arc_easy"], bench, 5)


def test_a_benchmark_without_four_answers_is_refused(bench: Path) -> None:
    with pytest.raises(UserError, match="piqa: no questions with four answers"):
        questions_of(["piqa"], bench, 5)
