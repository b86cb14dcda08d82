"""The report of a corpus, for a program and for a terminal."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from herd.data.contamination import Example, contamination_report, show_contamination
from herd.data.document import Document

WORDS = [f"w{i}" for i in range(40)]
WHOLE, HALF, NONE = (" ".join(WORDS[i : i + 16]) for i in (0, 8, 20))


def documents(*texts):
    return [Document(text=text, source="s", name=f"d{i}") for i, text in enumerate(texts)]


def report():
    examples = [Example("b", "1", WHOLE), Example("b", "2", HALF), Example("b", "3", "w1 w2")]
    examples += [Example("c", "1", " ".join(f"x{i}" for i in range(9)))]
    return contamination_report(documents(NONE[:9], f"so, {WHOLE}.", WHOLE), examples, n_worst=2)


def test_scores_shares_and_the_documents_that_hold_the_worst():
    found = report()["benchmarks"]["b"]
    assert (found["examples"], found["too_short"], found["documents"]) == (3, 1, 2)
    assert found["mean_score"] == pytest.approx(0.5)
    assert found["scores"] == [1.0, 0.5, 0.0]
    assert found["share_at"] == {
        "0.2": pytest.approx(2 / 3, abs=1e-6),
        "0.5": pytest.approx(2 / 3, abs=1e-6),
        "0.8": pytest.approx(1 / 3, abs=1e-6),
    }
    assert [(one["example"], one["score"], one["documents"]) for one in found["worst"]] == [
        ("1", 1.0, ["d1"]),
        ("2", 0.5, ["d1"]),
    ]
    assert report()["benchmarks"]["c"]["worst"] == []


def test_it_survives_json_and_shows_in_a_terminal():
    found = json.loads(json.dumps(report()))
    assert found == report()
    out = io.StringIO()
    show_contamination(found, Console(file=out, width=120))
    assert "mean score" in out.getvalue() and "d1" in out.getvalue()


@given(st.lists(st.integers(0, 24), max_size=30))
def test_however_many_examples_the_worst_are_the_first_of_the_sorted(begins):
    examples = [Example("b", str(i), " ".join(WORDS[at : at + 12])) for i, at in enumerate(begins)]
    found = contamination_report(documents(WHOLE), examples, n_worst=3)
    if not begins:
        assert found["benchmarks"] == {}
        return
    scores = [max(0, 16 - at) / 12 if 16 - at >= 8 else 0.0 for at in begins]
    scores = [min(score, 1.0) for score in scores]
    order = sorted(range(len(begins)), key=lambda i: (-scores[i], i))
    wanted = [(str(i), round(scores[i], 4)) for i in order if scores[i] > 0][:3]
    worst = found["benchmarks"]["b"]["worst"]
    assert [(one["example"], one["score"]) for one in worst] == wanted


def test_an_empty_report_shows_too():
    show_contamination(contamination_report([], []), Console(file=io.StringIO()))
