"""Where long runs are cut."""

import pytest

from herd.tokenizer.long_runs import MAX_RUN_CHARS, cut_long_runs


@pytest.mark.parametrize("n_before", [0, 1, 7, 12_499, 12_500, 30_000])
@pytest.mark.parametrize("run", ["x", " ", "\n"])
def test_a_run_one_over_the_limit_is_cut_wherever_it_lies(n_before: int, run: str) -> None:
    before = ("ab " * n_before)[:n_before]
    other = "y" if run.isspace() else " "
    text = before[:-1] + other * bool(before) + run * (MAX_RUN_CHARS + 1) + other + "end"
    pieces = cut_long_runs(text)
    assert len(pieces) == 2
    assert "".join(pieces) == text


def test_runs_at_the_limit_stay_whole() -> None:
    text = "x" * MAX_RUN_CHARS + " " * MAX_RUN_CHARS + "x" * MAX_RUN_CHARS
    assert cut_long_runs(text) == [text]
