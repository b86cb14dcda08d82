"""The report: whole in one file, and safe with whatever a model writes."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from herd.foundation import PageFigure, PageSection, PageTable
from herd.training import ReportContent, write_report
from herd.training.report import flatten

EVIL = "<script>alert('x')</script> & </table>"


def records(n: int = 30) -> list[dict]:
    return [
        {
            "step": i,
            "tokens": i * 100,
            "loss_nats": 5.0 - i / 10,
            "grad_norm": 1.0 + i % 3,
            "learning_rate": 1e-3,
            "batch_tokens": 100,
            "tokens_per_s": 1000.0,
            "mfu": 0.25,
            "elapsed_s": i / 10,
            **({"val_loss_nats": 5.1 - i / 10, "val_bits_per_byte": 2.0} if i % 10 == 0 else {}),
            **({"samples": [{"prompt": "To be", "text": EVIL}]} if i in (1, n) else {}),
        }
        for i in range(1, n + 1)
    ]


@pytest.fixture
def page(tmp_path: Path) -> str:
    content = ReportContent(
        title="A run",
        samples=[{"prompt": "To be", "text": EVIL}],
        sections={"Configuration": {"model": {"dim": 64, "tied": True}, "rates": (1, 2)}},
    )
    write_report(tmp_path / "report.html", records(), content)
    return (tmp_path / "report.html").read_text()


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    assert not re.search(r"<(?:script|link|img|iframe|object)\b", page)
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", page)
    assert "@import" not in page and "url(http" not in page


def test_what_a_model_writes_is_shown_and_not_run(page: str) -> None:
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 3


def test_tags_are_balanced(page: str) -> None:
    class Balance(HTMLParser):
        void = {"meta", "br", "hr", "input", "link", "path", "use"}

        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag, attrs) -> None:
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag) -> None:
            if tag not in self.void:
                assert self.open.pop() == tag

    parser = Balance()
    parser.feed(page)
    assert parser.open == []


@pytest.mark.parametrize(
    "figure", ["Loss", "Held-out text", "Learning rate", "Gradient norm", "Speed", "MFU"]
)
def test_every_curve_is_drawn_in_the_pages_colours(page: str, figure: str) -> None:
    drawn = re.search(rf"<figcaption>{figure}</figcaption>(<svg.*?</svg>)", page, re.DOTALL)
    assert drawn and "var(--first)" in drawn[1]
    assert "width=" not in drawn[1].split(">")[0]


def test_it_follows_light_and_dark_and_narrow_screens(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page


def test_numbers_are_those_of_the_log(page: str) -> None:
    assert "<b>2.000</b><span>training loss, nats</span>" in page
    assert "<b>2.100</b><span>held-out loss, nats</span>" in page
    assert "<b>25%</b><span>MFU</span>" in page
    assert '<th scope="row">model.dim</th><td>64</td>' in page


def test_a_log_of_one_step_or_none_still_gives_a_report(tmp_path: Path) -> None:
    for n in (0, 1):
        write_report(tmp_path / f"{n}.html", records(n), ReportContent(title="short"))
        assert "<figure>" not in (tmp_path / f"{n}.html").read_text()


def test_a_long_log_stays_a_small_file(tmp_path: Path) -> None:
    write_report(tmp_path / "long.html", records(20_000), ReportContent(title="long"))
    assert (tmp_path / "long.html").stat().st_size < 1_500_000


def test_sections_of_others_stand_below_the_curves(tmp_path: Path) -> None:
    extra = PageSection(
        title="Stability",
        cards={"worst level": "OK"},
        figures=[PageFigure(title="Map", svg="<svg></svg>")],
        tables=[PageTable(columns=("why",), rows=[(EVIL,)])],
    )
    content = ReportContent(title="A run", extra=[extra], sections={"Data": {"a": 1}})
    write_report(tmp_path / "report.html", records(), content)
    page = (tmp_path / "report.html").read_text()
    places = [page.index(f"<h2>{name}</h2>") for name in ("Curves", "Stability", "Data")]
    assert places == sorted(places)
    assert "<figcaption>Map</figcaption><svg></svg>" in page
    assert "<script" not in page


def test_nested_values_become_dotted_labels() -> None:
    nested = {"a": {"b": [1, 2], "c": [{"d": None}]}, "e": 1e9, "f": False, "g": {}}
    assert flatten(nested) == {
        "a.b": "1, 2",
        "a.c.0.d": "-",
        "e": "1,000,000,000",
        "f": "no",
        "g": "-",
    }
