"""The page of an evaluation: every question is in it, and nothing of it is markup."""

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

from herd.evals import choose, evaluate, evaluation_section, prepare

from .conftest import OracleModel, write_rows

NASTY = "</script><img src=x onerror=alert(1)>"


def test_every_question_is_in_the_page_and_no_text_is_markup(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    rows = [
        {"query": f"Question: {NASTY} {n}?", "choices": [NASTY, "b"], "gold": 0} for n in range(30)
    ]
    write_rows(bench / "piqa.jsonl.gz", rows)
    evaluate(prepare(choose(["piqa", "gsm8k"]), bench), oracle(), tmp_path / "out", say=print)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<img" not in page and "src=" not in page.replace("img src=", "")
    packed = re.findall(r'<script type="application/octet-stream">(.*?)</script>', page)
    items = [json.loads(gzip.decompress(base64.b64decode(one))) for one in packed]
    assert [len(own) for own in items] == [6, 30]
    assert items[1][0]["choices"][0] == f" {NASTY}"


def test_the_same_results_make_the_same_page(
    bench: Path, oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    prepared = prepare(choose(["piqa"]), bench)
    out = tmp_path / "out"
    evaluate(prepared, oracle(), out, say=print)
    first = (out / "report.html").read_bytes()
    evaluate(prepared, oracle(), out, say=print)
    assert (out / "report.html").read_bytes() == first


def test_a_section_for_another_report_says_what_guessing_scores(
    oracle: Callable[..., OracleModel], tmp_path: Path
) -> None:
    reports = evaluate(
        prepare(choose(["probes"], limit=20), None), oracle(), tmp_path / "o", say=print
    )
    section = evaluation_section(reports)
    assert section.title == "Evaluation" and section.figures
    assert [row[0] for row in section.tables[0].rows][:2] == ["probes", "probe_facts"]
