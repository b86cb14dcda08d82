"""The page about a run: whole in one file, safe with any name, true to the log."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from herd.foundation import UserError, render_page
from herd.stability import LOG_NAME, Mechanism, stability_section, write_stability_report
from herd.stability.report_advice import ADVICE
from herd.stability.report_maps import draw_maps
from herd.stability.run_reading import read_run

EVIL = "<script>alert('x')</script> & $\\frac$ </svg>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, synthetic_run) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    synthetic_run(path, n_layers=8)
    return path


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return write_stability_report(run).read_text()


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    assert not re.search(r"<(?:script|link|img|iframe|object)\b", page)
    loads = re.findall(r"""(?:src|href)\s*=\s*["']([^"'#][^"']{0,20})""", page)
    assert loads and all(load.startswith("data:image/png;base64") for load in loads)
    assert "@import" not in page and "url(http" not in page


def test_tags_are_balanced(page: str) -> None:
    class Balance(HTMLParser):
        void = {"meta", "br", "hr", "input", "link", "path", "use", "image"}

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
    ("label", "value"),
    [
        ("worst level", "ALARM"),
        ("first step at ALARM", "600"),
        ("lead over the loss spike", "8 steps"),
        ("watched steps", "1,000"),
        ("interventions", "1"),
    ],
)
def test_the_headline_is_that_of_the_log(page: str, label: str, value: str) -> None:
    assert f"<b>{value}</b><span>{label}</span>" in page


def test_every_layer_is_named_in_the_models_order(page: str) -> None:
    for title in ("Update RMS", "Alignment", "Cold fraction"):
        drawn = re.search(rf"<figcaption>{title}, layers by steps<.*?</svg>", page, re.DOTALL)
        assert drawn
        names = re.findall(r">(embedding|layers\.\d|output)<", drawn[0])
        assert names == ["embedding", *(f"layers.{i}" for i in range(6)), "output"]


def test_alarm_histograms_words_and_what_was_done_are_told(page: str) -> None:
    assert "at the alarm, step 600" in page and "before, step 501" in page
    assert "after, step 700" in page
    assert "then update RMS x3.1 to 0.95" in page
    assert "alarm in embedding: damp" in page and "factor 0.5" in page
    assert "Around the first alarm, step 600" in page


def test_a_quiet_run_says_that_it_was_quiet(tmp_path: Path, synthetic_run) -> None:
    synthetic_run(tmp_path / "run", n_steps=120, n_layers=3)
    page = write_stability_report(tmp_path / "run").read_text()
    assert "Every watched step was OK in every layer." in page
    assert "no intervention was switched on" in page
    assert "Around the first alarm" not in page


@pytest.mark.parametrize("n_steps", [1, 2, 605])
def test_a_run_that_has_only_begun_or_is_in_alarm_has_a_page(
    tmp_path: Path, synthetic_run, n_steps: int
) -> None:
    synthetic_run(tmp_path / "run", n_steps=n_steps, n_layers=3)
    log = tmp_path / "run" / LOG_NAME
    log.write_text(log.read_text() + '{"step": 9999, "lev')
    page = write_stability_report(tmp_path / "run").read_text()
    assert f"<b>{n_steps:,}</b><span>watched steps</span>" in page
    assert "could not be read" not in page and "not finished" in page
    assert n_steps < 600 or "to the end" in page


def test_names_and_words_of_a_log_are_shown_and_not_run(tmp_path: Path, synthetic_run) -> None:
    names = [EVIL, "層.1", "\x1b[31m.\x00", "x" * 5000]
    synthetic_run(tmp_path / "run", n_steps=650, layers=names)
    with (tmp_path / "run" / LOG_NAME).open("a") as log:
        done = {"step": 651, "intervention": EVIL, "what": EVIL, "before": {EVIL: EVIL}}
        log.write(json.dumps(done) + "\nrubbish\n")
    page = write_stability_report(tmp_path / "run", tmp_path / "page.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "\x00" not in page and page.count("<svg") == page.count("</svg>")
    assert "<b>1</b><span>lines that could not be read</span>" in page


@pytest.mark.parametrize("unknown", [None, "inf", "nan"])
def test_columns_of_nothing_but_unknown_numbers_are_drawn_or_left_out(
    tmp_path: Path, unknown: str | None
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    lines: list[dict] = [{"layers": ["a"], "beta1": "x", "beta2": None}]
    for step in (10, 20, 30):
        record = {"step": step, "level": "OK", "levels": "O", "loss_nats": unknown}
        lines.append(record | {"update_rms": [unknown], "alignment": None})
    (run / LOG_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    drawn = draw_maps(read_run(run))
    assert [figure.title.split(",")[0] for figure in drawn] == (
        ["Update RMS"] if unknown == "inf" else []
    )
    assert "<svg" in write_stability_report(run).read_text()


def test_a_spike_of_one_step_stays_visible_in_a_long_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    quiet = {"level": "OK", "levels": "O", "loss_nats": 2.0, "alignment": [0.1]}
    lines: list[dict] = [{"layers": ["a"], "beta1": 0.9, "beta2": 0.95}]
    lines += [quiet | {"step": step, "update_rms": [0.2]} for step in range(1, 5001)]
    without = "".join(json.dumps(line) + "\n" for line in lines)
    lines[2500] |= {"update_rms": [0.4]}
    for name, text in (
        ("quiet", without),
        ("spike", "".join(json.dumps(line) + "\n" for line in lines)),
    ):
        (run / LOG_NAME).write_text(text)
        (tmp_path / name).write_text(draw_maps(read_run(run))[0].svg)
    assert (tmp_path / "quiet").read_text() != (tmp_path / "spike").read_text()


def test_a_page_is_small_whatever_the_number_of_layers(tmp_path: Path, synthetic_run) -> None:
    synthetic_run(tmp_path / "run", n_steps=150, n_layers=300)
    page = write_stability_report(tmp_path / "run")
    assert page.stat().st_size < 5_000_000


def test_the_section_of_a_training_report_is_whole_and_does_not_stop_it(
    run: Path, tmp_path: Path
) -> None:
    section = stability_section(run)
    assert section is not None and len(section.figures) == 4
    page = render_page(
        "herd.stability",
        "report.html.jinja",
        title="",
        subtitle="",
        headline={},
        sections=[section],
    )
    assert "awakening of a cold layer" in page
    assert stability_section(tmp_path) is None
    (tmp_path / LOG_NAME).write_text("rubbish\n")
    broken = stability_section(tmp_path)
    assert broken is not None and "none of its 1 lines" in broken.text


def test_a_place_that_cannot_be_written_is_a_mistake(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a directory"):
        write_stability_report(run, tmp_path)
    with pytest.raises(UserError, match="no such directory"):
        write_stability_report(tmp_path / "nowhere")


def test_every_mechanism_has_its_advice() -> None:
    assert set(ADVICE) == set(Mechanism)
    assert all(advice.signs and advice.try_first for advice in ADVICE.values())
