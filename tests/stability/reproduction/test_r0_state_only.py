"""The experiment on two seeds: every golden value agrees, and the words follow the checks."""

import pytest

from herd.stability.reproduction import r0_golden
from herd.stability.reproduction.golden_rows import GoldenRow, golden_check
from herd.stability.reproduction.r0_state_only import run_r0


def test_every_assertion_of_the_specification_holds() -> None:
    result = run_r0(3)
    held = {check.name: check.holds for check in result.checks}
    for name in (
        "healthy norm",
        "cosine law",
        "awakening kick",
        "kurtosis and bimodality in health",
        "hard bound",
        "algebra of equal gradients",
        "golden values, correlated gradients (3.3)",
        "golden values, cosines (8.0)",
        "golden values, awakening, biased and partial (8.0)",
    ):
        assert held[name], name
    assert f"{result.n_held} of {len(result.checks)} checks hold." in result.conclusion


@pytest.mark.parametrize(("printed", "half"), [(".229", 0.0005), ("1.05", 0.005), ("3", 0.5)])
def test_rounding_is_half_of_the_last_digit(printed: str, half: float) -> None:
    assert r0_golden.rounding(printed) == pytest.approx(half)


def test_a_golden_value_outside_the_scatter_is_named() -> None:
    near = GoldenRow("a", "x", [1.00, 1.01, 0.99], "1.02")
    far = GoldenRow("b", "x", [1.00, 1.01, 0.99], "2.0")
    assert near.passes and not far.passes
    check = golden_check("golden", [near, far])
    assert not check.holds
    assert "b, x" in check.else_ and "a, x" not in check.else_
