"""The league's scores on hand-made curves, its problems at rest, and a tiny league from end to end."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from herd.stability.interventions.config import InterventionConfig
from herd.stability.reproduction.league import (
    ARMS,
    BASELINE,
    LeagueArm,
    league_checks,
    league_table,
    run_contest,
    run_league,
)
from herd.stability.reproduction.league_problems import (
    LeagueProblem,
    RareRowsTask,
    gain_step_problem,
    rare_rows_problem,
    staged_problem,
)
from herd.stability.reproduction.league_scores import (
    LeagueRun,
    excess_losses,
    rate_sensitivities,
)
from herd.stability.reproduction.r1_gain_step import GainStepTask
from herd.stability.reproduction.r3_staged_task import StagedTask
from herd.stability.reproduction.r3_transformer import DecoderShape

SHORT_GAIN = GainStepTask(n_dimensions=8, batch_size=16, n_cold_steps=60, n_awake_steps=12)


def curve(arm: str, rate: float, level: float, *, seed: int = 0, bump: float = 0.0) -> LeagueRun:
    """20 steps at 0.1 nats, then 20 at `level`, with a bump at step 22."""
    loss = np.where(np.arange(40) < 20, 0.1, level)
    loss[22] += bump
    noise = 0.01 * np.array([(-1) ** i for i in range(40)])
    reference = np.where(np.arange(40) < 20, np.nan, 1.0 + noise)
    return LeagueRun(
        problem="R0", arm=arm, rate_factor=rate, seed=seed, loss_nats=loss, reference_nats=reference
    )


RUNS = [
    curve("none", 1.0, 0.5, bump=2.0),
    curve("none", 4.0, 5.0),
    curve("good", 1.0, 0.4),
    curve("good", 4.0, 0.6),
]


def test_a_spike_is_a_loss_above_the_references_noise() -> None:
    assert [run.spiked for run in RUNS] == [True, True, False, False]


def test_excess_loss_is_over_the_best_of_the_seed_and_capped_at_knowing_nothing() -> None:
    # bump: 2 nats once in 20 steps; the run at 5 nats counts as 3
    assert excess_losses(RUNS, "none", 3.0) == pytest.approx([(0.6 + 3.0) / 2 - 0.4])
    assert excess_losses(RUNS, "good", 3.0) == pytest.approx([0.1])


def test_sensitivity_is_wortsmans() -> None:
    assert rate_sensitivities(RUNS, "none", 3.0) == pytest.approx([(0.5 + 3.0) / 2 - 0.5])
    assert rate_sensitivities(RUNS, "good", 3.0) == pytest.approx([0.1])


def test_a_diverged_run_counts_as_knowing_nothing() -> None:
    diverged = curve("none", 1.0, 0.5)
    diverged.loss_nats[25:] = np.nan
    assert diverged.spiked
    assert rate_sensitivities([diverged, RUNS[2]], "none", 3.0) == [0.0]
    assert excess_losses([diverged, RUNS[2]], "none", 3.0) == pytest.approx([3.0 - 0.4])


def test_the_table_puts_arms_without_spikes_first_and_checks_follow_the_numbers() -> None:
    arms = (LeagueArm(name=BASELINE), LeagueArm(name="good"))
    problem = LeagueProblem(
        name="R0",
        begin=lambda seed: pytest.fail("not run"),
        switch=20,
        n_steps=40,
        learning_rate=0.1,
        epsilon=1e-8,
        untrained_nats=3.0,
        rate_factors=(1.0, 4.0),
    )
    runs = RUNS + [replace(run, seed=1) for run in RUNS]
    table = league_table(problem, arms, runs)
    assert [row[0] for row in table.rows] == ["good", "none"]
    (check,) = league_checks(problem, arms, runs)
    assert check.holds and "spikes 0% against 100%" in check.so
    (worse,) = league_checks(
        problem, arms, [replace(r, arm={"good": "none", "none": "good"}[r.arm]) for r in runs]
    )
    assert not worse.holds


@pytest.mark.parametrize(
    "problem",
    [
        gain_step_problem(SHORT_GAIN),
        rare_rows_problem(RareRowsTask(n_rows=20, n_absent_steps=5, n_present_steps=3)),
    ],
    ids=lambda problem: problem.name,
)
def test_at_the_optimum_a_run_loses_what_the_reference_loses(problem: LeagueProblem) -> None:
    contest = problem.begin(0)
    losses = [float(contest.loss_at(step).detach()) for step in range(problem.n_steps)]
    reference = contest.reference_nats
    assert np.isnan(reference[: problem.switch]).all()
    np.testing.assert_allclose(losses[problem.switch :], reference[problem.switch :], rtol=1e-5)


def test_the_staged_problem_begins_every_arm_with_the_same_weights_and_data() -> None:
    task = StagedTask(
        shape=DecoderShape(n_layers=1, width=8, n_heads=2, n_positions=4, vocabulary=8),
        batch_size=8,
        n_foundation_steps=3,
        n_cold_steps=2,
        n_awake_steps=2,
    )
    problem = staged_problem(task)
    first, second = problem.begin(0), problem.begin(0)
    for step in range(4):
        assert torch.equal(first.loss_at(step), second.loss_at(step))
    assert np.isfinite(first.reference_nats[2:]).all()


def test_the_baseline_equals_torchs_adamw() -> None:
    problem = gain_step_problem(SHORT_GAIN)
    run = run_contest(problem, LeagueArm(name=BASELINE), 1.0, 0)
    contest = problem.begin(0)
    peer = torch.optim.AdamW(
        [parameter for _, parameter in contest.parameters],
        lr=0.05,
        betas=(0.9, 0.999),
        eps=1e-6,
        weight_decay=0.0,
    )
    for step in range(problem.n_steps):
        peer.zero_grad()
        loss = contest.loss_at(step)
        assert float(loss.detach()) == run.loss_nats[step]
        loss.backward()
        peer.step()


def test_every_arm_differs_from_the_baseline() -> None:
    assert len({arm.name for arm in ARMS}) == len(ARMS)
    plain = LeagueArm(name=BASELINE)
    for arm in ARMS[1:]:
        settings = (arm.beta2, arm.epsilon_factor, arm.rate_factor)
        assert settings != (plain.beta2, 1.0, 1.0) or arm.stages()


def test_a_tiny_league_runs_every_arm() -> None:
    result = run_league(2, problems=[replace(gain_step_problem(SHORT_GAIN), rate_factors=(1.0,))])
    assert len(result.tables[0].rows) == len(ARMS)
    assert len(result.checks) == len(ARMS) - 1
    guarded = run_contest(
        gain_step_problem(SHORT_GAIN),
        LeagueArm(name="guard", interventions=InterventionConfig(cold_guard=True)),
        1.0,
        0,
    )
    assert np.isfinite(guarded.loss_nats).all()
