"""The sweep's bars, shares and slopes on made-up cells, and one tiny sweep from end to end."""

import numpy as np
import pytest

from herd.stability.reproduction.r3_checks import sweep_checks
from herd.stability.reproduction.r3_depth_and_batch import (
    SweepCell,
    common_bar,
    growth_per_doubling,
    mechanism_table,
    spike_share,
    spike_table,
)
from herd.stability.reproduction.r3_staged_task import StagedTask
from herd.stability.reproduction.r3_staged_transformer import run_r3
from herd.stability.reproduction.r3_transformer import DecoderShape


def cell(depth: int, batch_size: int, excess: float, sigma: float = 0.05) -> SweepCell:
    ones = np.ones(5)
    return SweepCell(
        depth=depth,
        batch_size=batch_size,
        arm="arm",
        sigma_nats=sigma * ones,
        excess_nats=excess + np.linspace(-0.01, 0.01, 5),
        own_z=excess / sigma * ones,
        cold_fraction=ones,
        old_gradient_rms=ones / batch_size,
        new_gradient_rms=ones,
        old_noise=ones / batch_size**0.5,
        old_snr=ones,
        new_noise=ones,
        new_snr=ones * batch_size**0.5,
        kick=0.3 * ones,
        alignment=-0.1 * ones,
    )


CELLS = [cell(d, b, excess=0.2 * d, sigma=0.1 / b**0.5) for d in (1, 2, 4) for b in (4, 16)]


def test_the_bar_is_that_of_the_noisiest_cell() -> None:
    assert common_bar(CELLS) == pytest.approx(6 * 0.05)


def test_shares_count_runs_above_the_bar() -> None:
    share = spike_share(CELLS, 0.3)
    assert share.mean == pytest.approx(4 / 6) and share.n == 30
    assert share.low < 4 / 6 < share.high


def test_growth_is_the_slope_on_doublings() -> None:
    doubling = [cell(2**k, 4, excess=0.3 * k) for k in range(4)]
    slope = growth_per_doubling(doubling, lambda c: c.depth, lambda c: c.excess_nats)
    assert slope.mean == pytest.approx(0.3)


def test_what_was_built_in_is_found_and_nothing_else() -> None:
    held = {check.name: check.holds for check in sweep_checks(CELLS)}
    assert held["deeper, likelier (arm)"]
    assert not held["larger batch, likelier (arm)"]
    assert held["link: batch noise of early gradients falls with batch size"]
    assert held["link: signal to noise of early gradients rises with batch size"]
    assert not held["link: early gradients before the switch shrink with depth"]
    assert not held["link: the early layers' kick grows with depth"]


def test_tables_have_a_row_a_cell() -> None:
    assert len(spike_table(CELLS).rows) == len(mechanism_table(CELLS, 1e-3).rows) == 6


def test_a_tiny_experiment_runs_and_words_what_it_found() -> None:
    task = StagedTask(
        shape=DecoderShape(n_layers=2, width=8, n_heads=2, n_positions=4, vocabulary=8),
        batch_size=8,
        n_foundation_steps=4,
        n_cold_steps=4,
        n_awake_steps=16,
    )
    result = run_r3(2, task=task, depths=(1, 2), batch_sizes=(8, 16))
    assert result.seeds == (0, 1)
    assert {table.name for table in result.tables} == {"arms", "sweep", "mechanism"}
    assert f"{result.n_held} of {len(result.checks)} checks hold" in result.conclusion
    assert all(type(check.holds) is bool for check in result.checks)
    for drawing in result.drawings:
        drawing.draw()
