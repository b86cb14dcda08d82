import pytest

from herd.foundation import progress_bar


def test_progress_away_from_a_terminal_is_plain_lines_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bar("packing", 10, unit="docs") as bar:
        for _ in range(10):
            bar.advance(1, loss=2.5)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("packing: 10 docs/10 docs")
    assert "loss 2.5" in err


def test_what_an_earlier_run_did_counts_as_done_but_not_as_speed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bar("fetching", 2**20, unit="B", done=2**20 - 1) as bar:
        bar.advance(1)
    err = capsys.readouterr().err
    assert "1.00 MiB/1.00 MiB" in err


def test_a_bar_works_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress_bar("training", 3, unit="steps") as bar:
        for _ in range(3):
            bar.advance(1, loss="2.10")
