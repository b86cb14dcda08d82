"""Reading a log: whole, torn, resumed, mixed with rubbish; never a trace, never a lost count."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.stability import LOG_NAME
from herd.stability.log_line import LEVELS, UNREADABLE, parse, step_of_record
from herd.stability.run_reading import read_histograms, read_losses, read_run
from herd.stability.verdict import Level

AWAKE_AT, CALM_AT = 600, 640  # of the synthetic run
HEADER = '{"layers": ["a", "b"], "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8}\n'


def line(at: int, **changes: object) -> str:
    record = {"step": at, "level": "OK", "loss_nats": 2.0, "loss_z": 0.1, "levels": "OO"}
    record |= {"update_rms": [0.2, 0.3], "alignment": [0.1, None], "cold_fraction": [0, 1]}
    return json.dumps(record | changes) + "\n"


def log_of(run: Path, text: str) -> Path:
    run.mkdir(exist_ok=True)
    (run / LOG_NAME).write_text(text)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, synthetic_run) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    synthetic_run(path, n_steps=720)
    return path


def test_arrays_hold_what_the_lines_say(run: Path) -> None:
    reading = read_run(run)
    lines = [json.loads(each) for each in (run / LOG_NAME).read_text().splitlines()[1:]]
    steps = [each for each in lines if "levels" in each]
    assert reading.step_N.tolist() == [each["step"] for each in steps]
    for name, values_NL in reading.columns_NL.items():
        np.testing.assert_allclose(values_NL, [each[name] for each in steps], rtol=1e-6)
    letters = {"O": "OK", "W": "WATCH", "A": "ALARM", "R": "RECOVERY"}
    named = [[LEVELS[code].value for code in row] for row in reading.level_NL]
    assert named == [[letters[letter] for letter in each["levels"]] for each in steps]
    assert [LEVELS[code].value for code in reading.level_N] == [each["level"] for each in steps]
    assert reading.n_bad_lines == 0 and not reading.is_done


def test_changes_interventions_and_histograms_are_found(run: Path) -> None:
    reading = read_run(run)
    assert [each.step for each in reading.changes] == [400, AWAKE_AT, CALM_AT, 700]
    assert [each.undone for each in reading.interventions] == [False, True]
    share_all, share_active = read_histograms(reading, AWAKE_AT)["embedding"]
    assert share_all.sum() == pytest.approx(1) and len(share_active) == 64


def test_a_finished_run_says_so(tmp_path: Path) -> None:
    log_of(tmp_path / "run", HEADER + line(1))
    (tmp_path / "run" / "summary.json").write_text("{}")
    assert read_run(tmp_path / "run").is_done


@pytest.mark.parametrize("torn", [1, 20, 100])
def test_a_torn_last_line_is_not_counted_as_bad(tmp_path: Path, torn: int) -> None:
    text = HEADER + line(1) + line(2)
    reading = read_run(log_of(tmp_path / "run", text[:-torn]))
    assert reading.step_N.tolist() == ([1, 2] if torn == 1 else [1])
    assert reading.n_bad_lines == 0


BAD_LINES = [
    "rubbish\n",
    "[1, 2]\n",
    "3\n",
    '"levels"\n',
    "\x00\x01\n",
    "[" * 100_000 + "\n",
    line(2, levels="O"),
    line(2, levels="OX"),
    line(2, levels=None),
    line(2, level="FINE"),
    line(2, update_rms=[0.1]),
    line(2, update_rms=[0.1, 0.2, 0.3]),
    line(2, update_rms=[[0.1], [0.2]]),
    line(2, update_rms=["much", 0.2]),
    line(2, alignment={"a": 1}),
    line(2, update_rms=[10**400, 1]),
    line(-1),
    line(2, step="2"),
    line(2, step=2.5),
    line(2, step=True),
    line(2, step=10**30),
    line(2, step=None),
    line(2, loss_nats="low"),
    line(2, loss_nats=[1]),
    line(2, reasons=3),
    '{"intervention": "clip"}\n',
    '{"step": 2}\n',
]


@pytest.mark.parametrize("bad", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_skipped_and_counted(tmp_path: Path, bad: str) -> None:
    reading = read_run(log_of(tmp_path / "run", HEADER + line(1) + bad + line(3)))
    assert reading.step_N.tolist() == [1, 3]
    assert reading.n_bad_lines == 1


def test_words_for_what_is_no_number_are_understood(tmp_path: Path) -> None:
    text = line(1, update_rms=["inf", None], alignment=["nan", 1], loss_nats="inf", loss_z=None)
    reading = read_run(log_of(tmp_path / "run", HEADER + text))
    assert reading.columns_NL["update_rms"][0, 0] == math.inf
    assert np.isnan(reading.columns_NL["update_rms"][0, 1])
    assert np.isnan(reading.columns_NL["alignment"][0, 0])
    assert reading.loss_N[0] == math.inf and np.isnan(reading.loss_z_N[0])


def test_a_step_written_again_counts_as_it_was_last(tmp_path: Path) -> None:
    first = [line(step, loss_nats=9.0, reasons=["a.w: x"]) for step in (1, 2, 3)]
    again = [line(step) for step in (2, 3, 4)]
    reading = read_run(log_of(tmp_path / "run", HEADER + "".join(first + again)))
    assert reading.step_N.tolist() == [1, 2, 3, 4]
    assert reading.loss_N.tolist() == [9.0, 2.0, 2.0, 2.0]
    assert [change.step for change in reading.changes] == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("rubbish\nmore\n", "none of its 2 lines names the layers"),
        (line(1), "none of its 1 lines names the layers"),
        ('{"layers": []}\n', "names the layers"),
        ('{"layers": [1]}\n', "names the layers"),
        (HEADER, "no watched step can be read"),
        (HEADER + "rubbish\n", "no watched step can be read (1 bad lines)"),
    ],
)
def test_a_log_without_anything_is_a_mistake_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_run(log_of(tmp_path / "run", text))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_directory_or_log_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such directory"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"there is no stability\.jsonl"):
        read_run(tmp_path)


@pytest.mark.parametrize("rewritten", ["", "rubbish\n" * 500, HEADER])
def test_histograms_of_a_log_that_was_rewritten_meanwhile_are_empty(
    tmp_path: Path, synthetic_run, rewritten: str
) -> None:
    synthetic_run(tmp_path / "run", n_steps=150, n_layers=3)
    reading = read_run(tmp_path / "run")
    (tmp_path / "run" / LOG_NAME).write_text(rewritten)
    assert read_histograms(reading, 101) == {}
    assert read_histograms(reading, 102) == {}


def test_losses_are_sorted_and_those_unknown_left_out(tmp_path: Path) -> None:
    records = [
        {"step": 3, "loss_nats": 1.0},
        {"step": 1, "loss_nats": "nan"},
        {"step": 2, "loss_nats": None},
        {"step": 4},
        {"loss_nats": 1.0},
    ]
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in records) + '{"step": 5, "lo')
    steps, losses = read_losses(path)
    assert steps.tolist() == [1, 3]
    assert np.isnan(losses[0]) and losses[1] == 1.0
    assert len(read_losses(tmp_path / "none")[0]) == 0


def test_the_columns_that_nobody_looks_at_are_cut_without_loss(run: Path) -> None:
    record = json.loads(line(7))
    more = {"rho": [0.1, 0.2], "bimodality": [0.3, 0.4]}
    whole = json.dumps(record | more).encode()
    assert parse(whole) == record
    rare = json.dumps(record | more | {"reasons": ["a.w: x"]}).encode()
    assert parse(rare)["reasons"] == ["a.w: x"]
    with pytest.raises(UNREADABLE):
        parse(whole + b" rubbish")


@given(st.binary(max_size=200))
def test_whatever_the_bytes_nothing_else_is_raised(line: bytes) -> None:
    try:
        step = step_of_record(parse(line), 2)
    except UNREADABLE:
        return
    assert LEVELS[step.level] in Level
