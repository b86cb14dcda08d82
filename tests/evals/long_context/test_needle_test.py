"""Needles: they lie where they should, and what is found is counted."""

import random
import re
from collections.abc import Callable

import pytest

from herd.evals.long_context.haystack import draw_needles, haystack, needle, sentences_of
from herd.evals.long_context.needle_test import NeedleConfig, needle_test
from herd.evals.long_context.page import long_context_page
from herd.evals.long_context.reading_curve import reading_curve
from herd.foundation import UserError
from herd.tokenizer import Tokenizer


class Finder:
    """Reads the prompt: finds every number, or only those in the last `reach` characters."""

    def __init__(self, model, reach: int | None = None) -> None:
        self._model, self._reach = model, reach
        self.tokenizer, self.max_context, self.name = model.tokenizer, 4096, "finder"

    def scores(self, asked):
        return self._model.scores(asked)

    def continuations(self, asked):
        for i, one in enumerate(asked):
            text = self.tokenizer.decode(one.prompt)
            city = re.findall(r"special magic (\w+) number is:$", text)[-1]
            seen = text[-self._reach :] if self._reach else text
            found = re.search(rf"magic {city} number is: (\d+)", seen)
            answer = type("C", (), {"text": f" {found.group(1)}." if found else " none"})()
            yield i, [answer]


def test_a_needle_lies_at_its_depth_and_the_text_has_its_length(tokenizer: Tokenizer) -> None:
    sentences = sentences_of(None)
    for depth in (0.0, 0.5, 1.0):
        text = haystack(tokenizer, sentences, ["NEEDLE."], [depth], 600)
        before = text.split("NEEDLE.")[0].count(".")
        assert before == pytest.approx(depth * text.count(". "), abs=1)
        assert 500 <= len(tokenizer.encode(text)) <= 600


def test_what_is_found_is_found_at_every_depth_and_length(oracle: Callable) -> None:
    config = NeedleConfig(lengths=(400, 900), n_needles=4, n_asked=2, n_repeats=2)
    result = needle_test(Finder(oracle()), config)
    assert all(cell["found"] == 1 and cell["n"] == 4 for cell in result["cells"])
    assert [row["n"] for row in result["by_length"]] == [20, 20]


def test_a_model_that_sees_the_end_only_misses_what_lies_before(oracle: Callable) -> None:
    config = NeedleConfig(lengths=(1_200,), depths=(0.0, 1.0))
    result = needle_test(Finder(oracle(), reach=600), config)
    assert {cell["depth"]: cell["found"] for cell in result["cells"]} == {0.0: 0.0, 1.0: 1.0}
    assert not result["answers"][0]["found"] and result["answers"][0]["answer"] == " none"


def test_the_same_seed_hides_the_same_numbers() -> None:
    drawn = [draw_needles(4, random.Random(seed)) for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert needle("Paris", 5) == "The special magic Paris number is: 5."


def test_quality_by_length_scores_the_same_tokens(oracle: Callable) -> None:
    text = " ".join(sentences_of(None)[:200])
    rows = reading_curve(oracle(), text, [128, 512])
    assert [row["length"] for row in rows] == [128, 512] and rows[0]["n"] == rows[1]["n"] > 1


def test_the_page_holds_map_curve_and_answers(oracle: Callable) -> None:
    config = NeedleConfig(lengths=(400,), n_repeats=1)
    result = needle_test(Finder(oracle()), config)
    result["reading"] = reading_curve(oracle(), " ".join(sentences_of(None)[:100]), [128])
    page = long_context_page(result)
    assert page.count("<figure") == 2 and "Every answer" in page


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lengths": ()}, "--lengths"),
        ({"lengths": (50,)}, "192 or more"),
        ({"lengths": (400,), "depths": (2.0,)}, "--depths"),
        ({"lengths": (400,), "n_asked": 2}, "2 of 1 needles"),
        ({"lengths": (400,), "n_repeats": 0}, "--repeats"),
    ],
)
def test_settings_that_make_no_haystack_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        NeedleConfig(**settings)


def test_lengths_beyond_the_context_and_texts_too_short_are_refused(oracle: Callable) -> None:
    with pytest.raises(UserError, match="the model reads 4,096"):
        needle_test(Finder(oracle()), NeedleConfig(lengths=(5_000,)))
    with pytest.raises(UserError, match="needs 50 or more"):
        sentences_of("One. Two.")
    with pytest.raises(UserError, match="needs more"):
        reading_curve(oracle(), "short", [128])


def test_every_text_hides_its_own_needle_also_in_a_text_of_few_sentences(oracle: Callable) -> None:
    config = NeedleConfig(lengths=(400, 600), depths=(0.0, 1.0), n_repeats=3)
    text = " ".join(f"Sentence {n} is here." for n in range(60))
    answers = needle_test(oracle(), config, text)["answers"]
    assert len({one["number"] for one in answers}) == len(answers) == 12
