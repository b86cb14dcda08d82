"""The stabiliser league: every intervention on R1, R2 and R3, several seeds and learning rates.

In: the number of seeds. Out: a table a problem with spike probability, excess loss and learning-rate
sensitivity of each arm, and a conclusion computed from them.
The baseline is deliberately fragile: beta2 0.999 and an epsilon at which cooling freezes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from herd.stability.interventions.config import InterventionConfig
from herd.stability.interventions.response_policy import ResponsePolicy
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from herd.stability.interventions.stage import Stage
from herd.stability.interventions.update_clip import UpdateClip, UpdateClipConfig
from herd.stability.reproduction.intervals import mean_interval, share_interval
from herd.stability.reproduction.league_problems import (
    LeagueProblem,
    gain_step_problem,
    rare_rows_problem,
    staged_problem,
)
from herd.stability.reproduction.league_scores import (
    LeagueRun,
    excess_losses,
    rate_sensitivities,
)
from herd.stability.reproduction.result import (
    Check,
    ExperimentResult,
    Report,
    Table,
    conclude,
    silent,
)
from herd.stability.watch import AdamWatch
from herd.stability.watch_config import WatchConfig

BETA1, BASE_BETA2 = 0.9, 0.999
BASELINE = "none"
MOST_SEEDS = 5
STAGED_SEEDS = 3  # R3 is dear


@dataclass(frozen=True, kw_only=True, slots=True)
class LeagueArm:
    """How an arm differs from the baseline."""

    name: str
    beta2: float = BASE_BETA2
    epsilon_factor: float = 1.0
    rate_factor: float = 1.0
    interventions: InterventionConfig = InterventionConfig()
    clip_after_steps: int | None = None

    def stages(self) -> list[Stage]:
        """Return fresh stages for one run."""
        if self.clip_after_steps is not None:
            return [UpdateClip(UpdateClipConfig(warmup_steps=self.clip_after_steps))]
        return self.interventions.optimizer_stages()


ARMS = (
    LeagueArm(name=BASELINE),
    LeagueArm(name="epsilon / 100", epsilon_factor=0.01),
    LeagueArm(name="epsilon x 100", epsilon_factor=100.0),
    LeagueArm(name="beta2 0.98", beta2=0.98),
    LeagueArm(name="beta2 0.95", beta2=0.95),
    LeagueArm(name="learning rate / 2", rate_factor=0.5),
    LeagueArm(name="skip step", interventions=InterventionConfig(skip_step=True)),
    LeagueArm(
        name="update clip", clip_after_steps=20
    ),  # its default, 5/(1 - beta2), outlasts a run
    LeagueArm(name="cold guard", interventions=InterventionConfig(cold_guard=True)),
    LeagueArm(name="StableAdamW", interventions=InterventionConfig(stable_adamw=True)),
    LeagueArm(name="SPAM", interventions=InterventionConfig(moment_reset=True)),
    LeagueArm(name="ZClip", interventions=InterventionConfig(zclip=True)),
    LeagueArm(name="AdaGC", interventions=InterventionConfig(adagc=True)),
    LeagueArm(
        name="learning-rate damp on alarm",
        interventions=InterventionConfig(learning_rate_damp=True),
    ),
    LeagueArm(name="relative epsilon", interventions=InterventionConfig(relative_epsilon=1e-3)),
)


def run_league(
    n_seeds: int = MOST_SEEDS,
    progress: Report = silent,
    *,
    problems: Sequence[LeagueProblem] | None = None,
    arms: Sequence[LeagueArm] = ARMS,
) -> ExperimentResult:
    """Run every arm on every problem; five seeds at most, three on R3."""
    started = time.monotonic()
    n_seeds = min(n_seeds, MOST_SEEDS)
    if problems is None:
        problems = (gain_step_problem(), rare_rows_problem(), staged_problem())
    tables, checks = [], []
    for problem in problems:
        seeds = range(min(n_seeds, STAGED_SEEDS) if problem.name == "R3" else n_seeds)
        runs = []
        for arm in arms:
            progress(f"league: {problem.name}, {arm.name}")
            runs += [
                run_contest(problem, arm, factor, seed)
                for factor in problem.rate_factors
                for seed in seeds
            ]
        tables.append(league_table(problem, arms, runs))
        checks += league_checks(problem, arms, runs)
    return ExperimentResult(
        name="league",
        question="Which intervention prevents the spikes of R1 to R3, what does it cost, and how "
        "much does it leave hanging on the learning rate?",
        tables=tuple(tables),
        drawings=(),
        checks=tuple(checks),
        conclusion=conclude(checks),
        seconds=time.monotonic() - started,
        seeds=tuple(range(n_seeds)),
    )


def run_contest(problem: LeagueProblem, arm: LeagueArm, rate_factor: float, seed: int) -> LeagueRun:
    """Train one seed of a problem under one arm at one learning rate."""
    contest = problem.begin(seed)
    base_rate = problem.learning_rate * rate_factor * arm.rate_factor
    optimizer = StabilizedAdamW(
        [parameter for _, parameter in contest.parameters],
        lr=base_rate,
        betas=(BETA1, arm.beta2),
        eps=problem.epsilon * arm.epsilon_factor,
        weight_decay=0.0,
        interventions=arm.stages(),
        named_parameters=contest.parameters,
    )
    watch = policy = None
    if arm.interventions.learning_rate_damp:
        config = WatchConfig(max_coordinates=None, distributed=False)
        watch = AdamWatch(optimizer, contest.parameters, config=config)
        policy = ResponsePolicy(optimizer, arm.interventions.response())
    losses = np.full(problem.n_steps, np.nan)
    for step in range(problem.n_steps):
        for group in optimizer.param_groups:
            group["lr"] = base_rate * min(1.0, (step + 1) / problem.n_warmup_steps)
        optimizer.zero_grad(set_to_none=True)
        loss = contest.loss_at(step)
        losses[step] = float(loss.detach())
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.observe(loss=loss.detach())
        optimizer.step()
        if watch is not None and policy is not None:
            policy.respond(watch.step(loss=loss.detach()), watch.levels)
    return LeagueRun(
        problem=problem.name,
        arm=arm.name,
        rate_factor=rate_factor,
        seed=seed,
        loss_nats=losses,
        reference_nats=contest.reference_nats,
    )


def league_table(
    problem: LeagueProblem, arms: Sequence[LeagueArm], runs: Sequence[LeagueRun]
) -> Table:
    """Return the scores of a problem, the arms with the fewest spikes first, then by excess loss."""
    rows = []
    for arm in arms:
        of_arm = [run for run in runs if run.arm == arm.name]
        at_base = [run for run in of_arm if run.rate_factor == 1.0]
        rows.append(
            (
                arm.name,
                share_interval(sum(run.spiked for run in of_arm), len(of_arm)),
                share_interval(sum(run.spiked for run in at_base), len(at_base)),
                mean_interval(excess_losses(runs, arm.name, problem.untrained_nats)),
                mean_interval(rate_sensitivities(runs, arm.name, problem.untrained_nats)),
                mean_interval([run.final_loss_nats for run in at_base]),
            )
        )
    rows.sort(key=lambda row: (row[1].mean, row[3].mean))
    rates = ", ".join(f"{problem.learning_rate * factor:g}" for factor in problem.rate_factors)
    return Table(
        name=problem.name,
        caption=(
            f"{problem.name}: beta2 {BASE_BETA2:g}, epsilon {problem.epsilon:g} unless the arm says "
            f"otherwise; learning rates {rates}. Excess loss: mean loss from the switch on over the "
            "same seed's best arm and rate; sensitivity: Wortsman's, over the rates"
        ),
        columns=(
            "arm", "spikes, all rates", "spikes, middle rate", "excess loss [nats]",
            "learning-rate sensitivity [nats]", "final loss, middle rate [nats]",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def league_checks(
    problem: LeagueProblem, arms: Sequence[LeagueArm], runs: Sequence[LeagueRun]
) -> list[Check]:
    """Return for each arm whether it beat the baseline, by the interval over paired seeds."""
    base = _share(runs, BASELINE)
    losses = {arm.name: excess_losses(runs, arm.name, problem.untrained_nats) for arm in arms}
    checks = []
    for name in (arm.name for arm in arms if arm.name != BASELINE):
        share = _share(runs, name)
        gain = mean_interval(np.subtract(losses[name], losses[BASELINE]))
        measured = (
            f"spikes {share:.0%} against {base:.0%}, excess loss {gain.mean:+.3f} "
            f"[{gain.low:+.3f}, {gain.high:+.3f}] nats"
        )
        checks.append(
            Check(
                name=f"{problem.name}: {name} helps",
                expected="no more spikes than without, and a lower excess loss on the same seeds",
                measured=measured,
                holds=bool(share <= base and gain.high < 0),
                so=f"Helped: {problem.name}, {name}: {measured}.",
                else_=f"Not shown to help: {problem.name}, {name}: {measured}.",
            )
        )
    return checks


def _share(runs: Sequence[LeagueRun], arm: str) -> float:
    return float(np.mean([run.spiked for run in runs if run.arm == arm]))
