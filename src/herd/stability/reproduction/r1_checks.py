"""What the theory predicts of the gain step, as checks that may fail, each with its sentence.

In: a finished run and its falsification tests. Out: `Check`s. Differences between arms are taken
seed by seed, since arms see the same data.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from herd.stability import theory
from herd.stability.reproduction import r1_sweep as sweep
from herd.stability.reproduction.intervals import Estimate, mean_interval
from herd.stability.reproduction.order_test import OrderTest
from herd.stability.reproduction.r1_falsification import SIGNIFICANT, destroyed, drift_exponent
from herd.stability.reproduction.r1_gain_step import BETA1, Arm, GainStepTrace
from herd.stability.reproduction.result import Check
from herd.stability.simulator import Array

SHORT, LONG = Arm(beta2=0.95, epsilon=1e-6), Arm(beta2=0.999, epsilon=1e-6)


def gain_step_checks(trace: GainStepTrace, statistics: Mapping[str, Array]) -> list[Check]:
    """Return the checks of readings 1 to 3 of 8.1."""
    at = trace.arms.index
    z = statistics["spike score"]
    kick = statistics["RMS(u) at k = 0"]
    short, long = mean_interval(kick[:, at(SHORT)]), mean_interval(kick[:, at(LONG)])
    error = max(
        abs(e.mean / theory.fresh_gradient_update(BETA1, arm.beta2) - 1)
        for e, arm in ((short, SHORT), (long, LONG))
    )
    noise = z[:, at(sweep.QUIET)]
    guarded = at(Arm(beta2=0.999, epsilon=1e-6, cold_guard=True))
    guard = _difference(z, guarded, at(LONG))
    clip = _difference(z, at(Arm(beta2=0.999, epsilon=1e-6, update_clip=0.46)), at(LONG))
    slow, fast = (
        _difference(z, at(Arm(beta2=0.999, epsilon=1e-6, learning_rate=r)), at(LONG))
        for r in (0.025, 0.2)
    )
    over_noise = mean_interval(z[:, at(SHORT)] - noise)
    over_noise_long = mean_interval(z[:, at(LONG)] - noise)
    return [
        Check(
            name="size of the kick",
            expected="RMS(u) = (1 - beta1)/sqrt(1 - beta2) at k = 0, within 2 %",
            measured=f"{short.mean:.3f} at beta2 0.95, {long.mean:.3f} at 0.999",
            holds=error <= 0.02,
            so=f"The first step after a cold phase has the size that the algebra gives, "
            f"{short.mean:.2f} at beta2 0.95 and {long.mean:.2f} at 0.999.",
        ),
        Check(
            name="a kick raises the loss at beta2 0.999",
            expected="spike score above that of a run without a switch",
            measured=f"{_text(over_noise_long)} above",
            holds=over_noise_long.low > 0,
            so="At beta2 0.999 it makes a spike in the loss "
            f"({_text(mean_interval(z[:, at(LONG)]))} standard deviations, "
            f"{mean_interval(noise).mean:.1f} is noise).",
        ),
        Check(
            name="a kick raises the loss at beta2 0.95",
            expected="spike score above that of a run without a switch, and above 6",
            measured=f"{_text(over_noise)} above; score {_text(mean_interval(z[:, at(SHORT)]))}",
            holds=over_noise.low > 0 and mean_interval(z[:, at(SHORT)]).low > 6,
            so="So it does at beta2 0.95.",
            else_="At beta2 0.95 the loss hardly notices the kick: "
            f"{_text(over_noise)} standard deviations above noise, far from a spike.",
        ),
        Check(
            name="cold guard removes the kick",
            expected="RMS(u) = 1 - beta1 at k = 0 and a lower score",
            measured=f"score changes by {_text(guard)}",
            holds=guard.high < 0,
            so=f"The cold guard changes the score by {guard.mean:+.1f} (noise alone scores "
            f"{mean_interval(noise).mean:.1f}, this arm {mean_interval(z[:, guarded]).mean:.1f}),",
        ),
        Check(
            name="update clip softens the kick",
            expected="a lower score",
            measured=f"score changes by {_text(clip)}",
            holds=clip.high < 0,
            so=f"the update clip by {clip.mean:+.1f}.",
        ),
        Check(
            name="learning rate",
            expected="a lower score at half the rate, a higher one at four times",
            measured=f"{_text(slow)} and {_text(fast)}",
            holds=slow.high < 0 < fast.low,
            so=f"The learning rate decides how much harm is done: {slow.mean:+.1f} at half, "
            f"{fast.mean:+.1f} at four times.",
        ),
        *_epsilon_checks(trace, statistics),
    ]


def _epsilon_checks(trace: GainStepTrace, statistics: Mapping[str, Array]) -> list[Check]:
    at = trace.arms.index
    z, cold = statistics["spike score"], statistics["RMS(u) cold"]
    worse = [
        _difference(z, at(Arm(beta2=b, epsilon=1e-8)), at(Arm(beta2=b, epsilon=1e-6)))
        for b in (0.95, 0.999)
    ]
    warm = at(Arm(beta2=0.95, epsilon=0.0))
    norm = mean_interval(cold[:, warm])
    frozen = mean_interval(cold[:, at(SHORT)])
    healthy = theory.healthy_update_rms(BETA1)
    drift = drift_exponent(trace, warm)
    return [
        Check(
            name="lower epsilon is safer (mitigation b, in our reading of the paper)",
            expected="a lower spike score at epsilon 1e-8 than at 1e-6",
            measured=f"{_text(worse[0])} at beta2 0.95, {_text(worse[1])} at 0.999",
            holds=all(d.high < 0 for d in worse),
            so="A lower epsilon removes the spike.",
            else_="A lower epsilon makes this toy worse, not better: the score changes by "
            f"{worse[0].mean:+.0f} at beta2 0.95 and {worse[1].mean:+.0f} at 0.999 from epsilon 1e-6 "
            "to 1e-8.",
        ),
        Check(
            name="falsification 1: epsilon 0 removes the freezing",
            expected=f"RMS(u) cold near {healthy:.3f} at epsilon 0, beta2 0.95 (within 0.02)",
            measured=f"{norm.mean:.3f}, against {frozen.mean:.4f} at epsilon 1e-6",
            holds=abs(norm.mean - healthy) <= 0.02 and frozen.mean < 0.02,
            so="Freezing is epsilon's work: without it the silent layer keeps moving at the healthy "
            f"norm, {norm.mean:.2f},",
        ),
        Check(
            name="drift in the flat direction",
            expected="|a - a*| ~ t^0.5 in the silent phase at epsilon 0 (0.35 to 0.65)",
            measured=f"t^{_text(drift)}",
            holds=drift.low >= 0.35 and drift.high <= 0.65,
            so=f"and walks off at random (distance ~ t^{drift.mean:.2f}): a second mechanism, whose "
            "harm appears when the gain returns.",
        ),
    ]


def direction_checks(
    trace: GainStepTrace, ranks: Mapping[tuple[int, int], tuple[Array, Array, Array]]
) -> list[Check]:
    """Return whether the steps after the switch point anywhere."""
    at = trace.arms.index
    switch = trace.task.n_cold_steps
    turned = [mean_interval(trace.alignment[:, switch + 1, at(arm)]) for arm in (SHORT, LONG)]
    real, permuted, rank = (mean_interval(v) for v in ranks[at(LONG), 0])
    later = mean_interval(ranks[at(LONG), 2][2])
    gained, _, drifted = (mean_interval(v) for v in ranks[at(Arm(beta2=0.999, epsilon=1e-8)), 0])
    harm = _difference(
        trace.spike_scores(), at(Arm(beta2=0.999, epsilon=1e-6, permute_signs=True)), at(LONG)
    )
    return [
        Check(
            name="the direction turns against descent",
            expected="cos(g, u_) below 0 one step after the switch at epsilon 1e-6",
            measured=f"{_text(turned[0])} at beta2 0.95, {_text(turned[1])} at 0.999",
            holds=all(e.high < 0 for e in turned),
            so="One step later the gradient opposes the step just taken "
            f"(cos {turned[0].mean:+.2f} and {turned[1].mean:+.2f}).",
        ),
        Check(
            name="falsification 3: the first kick is uncorrelated with descent",
            expected="rank 0.5 among steps of random signs at k = 0, epsilon 1e-6, beta2 0.999",
            measured=f"rank {_text(rank)}; loss {real.mean:+.3f} against {permuted.mean:+.3f} nats",
            holds=rank.contains(0.5) or abs(rank.mean - 0.5) < 0.1,
            so="On held-out data the first kick is as good as one of random signs (rank "
            f"{rank.mean:.2f}; 0.5 knows nothing): both raise the loss, by {real.mean:.2f} and "
            f"{permuted.mean:.2f} nats.",
            else_=f"The first kick is not quite without direction: rank {_text(rank)}, where 0.5 knows "
            "nothing and 1 ascends.",
        ),
        Check(
            name="the steps that follow stay uncorrelated with descent",
            expected="rank 0.5 at k = 2",
            measured=f"rank {_text(later)}; permuting all signs changes the score by {_text(harm)}",
            holds=abs(later.mean - 0.5) < 0.1,
            so="Nor do the steps after it know the way.",
            else_="The steps after it are not without direction: two steps later the rank is "
            f"{later.mean:.2f} (1 ascends, 0 descends), and with all signs permuted the score "
            f"changes by {harm.mean:+.0f}"
            + (": Adam's own steps repair the harm." if later.high < 0.5 and harm.low > 0 else "."),
        ),
        Check(
            name="after drift the kick is descent",
            expected="rank near 0 at k = 0, epsilon 1e-8, beta2 0.999",
            measured=f"rank {_text(drifted)}",
            holds=drifted.high < 0.1,
            so="Where the layer drifted (epsilon 1e-8) the first step is descent (rank "
            f"{drifted.mean:.2f}, loss {gained.mean:+.2f} nats): there the spike is the error that "
            "had piled up in silence, not the kick.",
        ),
    ]


def order_checks(tests: Mapping[str, Sequence[OrderTest]]) -> list[Check]:
    """Return what shuffling the order in time showed, controls first."""
    controls = {name.removeprefix("made up: "): t for name, t in tests.items() if "made up" in name}
    noise, persistent, signal = (
        controls[name]
        for name in ("independent noise", "noise with correlation 0.9", "signal, SNR 1")
    )
    false_alarms = float(np.mean([t.p_value <= SIGNIFICANT for t in noise]))
    recorded = [name for name in tests if name.startswith("after the switch")]
    held = [
        name
        for name in recorded
        if destroyed(tests[name]).low > 1 and _median_p(tests[name]) <= SIGNIFICANT
    ]
    ratios = "; ".join(
        f"{name.removeprefix('after the switch: ')}: x{destroyed(tests[name]).mean:.2f}, p {_median_p(tests[name]):.3f}"
        for name in recorded
    )
    return [
        Check(
            name="the order test is sound",
            expected="correlated noise always found, independent noise and a signal rarely (<= 0.2)",
            measured=f"found {_found(persistent):.2f}, {false_alarms:.2f} and {_found(signal):.2f}",
            holds=_found(persistent) >= 0.95 and false_alarms <= 0.2 and _found(signal) <= 0.2,
            so="The permutation test finds correlation in time where it was put, and nothing in "
            "independent noise or a steady signal.",
        ),
        Check(
            name="falsification 2: shuffling time destroys the inflation after the switch",
            expected="RMS(u) in order above shuffled, median p <= 0.05, in every arm",
            measured=ratios,
            holds=len(held) == len(recorded),
            so="Shuffling the 60 gradients after the switch lowers the norm in every arm: the large "
            f"updates need their order in time ({ratios}).",
            else_=f"Shuffling the gradients after the switch lowers the norm in {len(held)} of "
            f"{len(recorded)} arms only ({ratios}).",
        ),
    ]


def sweep_checks(grid: GainStepTrace, scores: Mapping[tuple[str, float], Array]) -> list[Check]:
    """Return what the sizes do."""
    by_epsilon = sweep.epsilon_scores(grid).mean(0)
    ordered = bool((np.diff(by_epsilon, axis=1) > -0.5).all())
    scored = dict(scores)
    checks = [
        Check(
            name="beta2 makes it worse at every epsilon",
            expected="spike score rises with beta2 in every row (0.5 for noise)",
            measured=f"beta2 0.9 to 0.999: {by_epsilon[-3, 0]:.1f} to {by_epsilon[-3, -1]:.1f} at 1e-6",
            holds=ordered,
            so="A longer second moment is worse at every epsilon.",
        )
    ]
    for what in ("gain after the switch", "share awakened", "dimensions", "batch size"):
        pairs = [sweep.rises(scored, what, i) for i in range(len(sweep.ARMS))]
        text = ", ".join(f"{low:.1f} to {high:.1f}" for low, high in pairs)
        by_nats = [sweep.rises(scored, what, len(sweep.ARMS) + i) for i in range(len(sweep.ARMS))]
        nats = ", ".join(f"{low:.2f} to {high:.2f}" for low, high in by_nats)
        checks.append(
            Check(
                name=f"worse with {what}",
                expected="a higher spike score at the largest value than at the smallest, each arm",
                measured=text,
                holds=all(high > low for low, high in pairs),
                so=f"So is more of this: {what} (score {text}).",
                else_=f"More of this, {what}, does not raise the score in every arm (score {text}, loss "
                f"{nats} nats; arms as in the table).",
            )
        )
    return checks


def _difference(z: Array, arm: int, other: int) -> Estimate:
    return mean_interval(z[:, arm] - z[:, other])


def _text(e: Estimate) -> str:
    return f"{e.mean:.2f} [{e.low:.2f}, {e.high:.2f}]"


def _found(tests: Sequence[OrderTest]) -> float:
    return float(np.mean([t.p_value <= SIGNIFICANT for t in tests]))


def _median_p(tests: Sequence[OrderTest]) -> float:
    return float(np.median([t.p_value for t in tests]))
