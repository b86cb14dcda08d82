"""What R3's numbers are held against: the awakening link by link, its controls, depth and batch size.

In: traces of the arms and cells of the sweep. Out: `Check`s with the sentence that follows either way.
"""

from collections.abc import Sequence

import numpy as np

from herd.stability.reproduction.intervals import Estimate, mean_interval, share_interval
from herd.stability.reproduction.r3_depth_and_batch import (
    SweepCell,
    common_bar,
    growth_per_doubling,
    spike_share,
)
from herd.stability.reproduction.r3_spike_labels import largest_excess
from herd.stability.reproduction.r3_staged_arms import (
    THEORY_MULTIPLE,
    arm_name,
    lead_steps,
    plain_rule_share,
    spikes,
)
from herd.stability.reproduction.r3_staged_trace import StagedTrace
from herd.stability.reproduction.r3_staged_training import BETA1
from herd.stability.reproduction.result import Check
from herd.stability.theory import healthy_update_rms

EARLY_LAYERS = slice(0, 2)


def written(e: Estimate, digits: int = 2) -> str:
    """Return an estimate with its interval as text."""
    return f"{e.mean:.{digits}f} [{e.low:.{digits}f}, {e.high:.{digits}f}]"


def awakening_checks(traces: dict[str, StagedTrace]) -> list[Check]:
    """Return the links of one episode in the theory's setting, and what the controls do."""
    trace = traces[arm_name(0.999, THEORY_MULTIPLE)]
    switch, healthy = trace.switch, healthy_update_rms(BETA1)
    cold = mean_interval(trace.cold_fraction[:, switch, EARLY_LAYERS].min(1))
    frozen = mean_interval(trace.update_rms[:, switch - 1, EARLY_LAYERS].max(1))
    kick = mean_interval(trace.update_rms[:, switch, 0])
    late = mean_interval(trace.update_rms[:, switch, -2])
    after = mean_interval(trace.alignment[:, switch + 1, EARLY_LAYERS].max(1))
    return [
        _early_first_check(trace),
        Check(
            name="early layers go cold",
            expected="cold fraction above .5, update RMS below a tenth of the healthy one",
            measured=f"cold {written(cold)}, RMS {written(frozen, 4)}",
            holds=bool(cold.low > 0.5 and frozen.high < 0.1 * healthy),
            so="On easy text the embedding and the first block went cold and stopped moving.",
        ),
        Check(
            name="the update jumps at the switch",
            expected=f"embedding's update RMS above the healthy {healthy:.3f} at once",
            measured=f"{written(kick)} (last block {written(late)})",
            holds=bool(kick.low > healthy),
            so="The first gradients of the new sub-language set the embedding's update above its "
            "healthy size within one step.",
        ),
        Check(
            name="early layers are kicked hardest",
            expected="update RMS at the switch larger in the embedding than in the last block",
            measured=f"{written(kick)} against {written(late)}",
            holds=bool(kick.low > late.high),
            so="The embedding was kicked harder than the last block.",
        ),
        Check(
            name="the kick has no descent in it",
            expected="alignment of the embedding and the first block below 0 a step later",
            measured=written(after),
            holds=bool(after.high < 0),
            so="A step later the gradient of the early layers pointed against the update.",
            else_="The early layers' update was not clearly against descent after the kick.",
        ),
        _spike_check(trace),
        *_control_checks(traces, trace),
    ]


def _early_first_check(trace: StagedTrace) -> Check:
    before = trace.gradient_rms[:, trace.switch - 1]
    early, late = mean_interval(before[:, :2].max(1)), mean_interval(before[:, -2])
    return Check(
        name="early layers have the smallest gradients",
        expected="gradient RMS before the switch smaller in embedding and first block than in the "
        "last block",
        measured=f"{early.mean:.1e} against {late.mean:.1e}",
        holds=bool(early.high < late.low),
        so="Early layers had the smallest gradients, as attenuation through depth would have it.",
        else_="Gradients were not smallest in the early layers: coldness was no privilege of theirs, "
        "epsilon stood above the gradients of every layer "
        f"({early.mean:.1e} early, {late.mean:.1e} in the last block).",
    )


def _spike_check(trace: StagedTrace) -> Check:
    excess = mean_interval(largest_excess(trace.loss_nats, trace.frozen_loss_nats))
    n_spikes = int(spikes(trace).sum())
    leads = lead_steps(trace, healthy_update_rms(BETA1))
    return Check(
        name="the loss spikes",
        expected="most seeds lose more than weights that do not move, by 6 sigma of batch noise",
        measured=f"{n_spikes} of {len(trace.seeds)} seeds, excess {written(excess)} nats, update "
        f"large {np.median(leads) if leads else float('nan'):g} steps before (median)",
        holds=bool(n_spikes > len(trace.seeds) / 2),
        so="With beta2 0.999 the run then lost more than the same weights frozen at the switch: a "
        "spike made by the optimizer, not by the data.",
        else_="No spike beyond what the new data cost by themselves.",
    )


def _control_checks(traces: dict[str, StagedTrace], spiking: StagedTrace) -> list[Check]:
    control = {
        name: traces[arm_name(0.999, THEORY_MULTIPLE, name)]
        for name in ("no switch", "v refreshed", "rate / 2")
    }
    plain = plain_rule_share(spiking, of_frozen=True)
    return [
        _fewer(
            "control: no switch",
            control["no switch"],
            spiking,
            so="Without the switch there was no spike.",
        ),
        _fewer(
            "control: v refreshed",
            control["v refreshed"],
            spiking,
            so="With v told of the new gradients at the switch, the same data made fewer spikes: the "
            "stale second moment made them, not the data.",
        ),
        _fewer(
            "control: rate / 2",
            control["rate / 2"],
            spiking,
            so="Half the learning rate prevented spikes, as the feedback of phase 3 would have it.",
        ),
        _fewer(
            "epsilon 0 removes it",
            traces[arm_name(0.999, 0.0)],
            spiking,
            so="With epsilon 0 fewer runs spiked: here lower epsilon helped (compare R1).",
        ),
        _fewer(
            "beta2 0.95 is safer than 0.999",
            traces[arm_name(0.95, THEORY_MULTIPLE)],
            spiking,
            so="At beta2 0.95 fewer runs spiked.",
        ),
        Check(
            name="the plain rule is no label here",
            expected="loss z > 6 fires at the switch even for weights that never move",
            measured=f"{plain:.0%} of seeds",
            holds=bool(plain > 0.5),
            so="The usual rule (loss z > 6 over 100 steps) fires at a change of data even for "
            "frozen weights, so excess over them was used as the label.",
        ),
    ]


def _fewer(name: str, control: StagedTrace, spiking: StagedTrace, *, so: str) -> Check:
    """Return whether a control spiked less often; few seeds: read the intervals."""
    here, there = (
        share_interval(int(spikes(trace).sum()), len(trace.seeds)) for trace in (control, spiking)
    )
    return Check(
        name=name,
        expected="a smaller share of spikes than in the theory's setting",
        measured=f"{written(here)} against {written(there)}",
        holds=bool(here.mean < there.mean),
        so=so,
    )


def sweep_checks(cells: Sequence[SweepCell]) -> list[Check]:
    """Return the claim 'deeper and larger batch, likelier', by arm, and the mechanism's links."""
    bar = common_bar(cells)
    checks = []
    for arm in dict.fromkeys(cell.arm for cell in cells):
        of_arm = [cell for cell in cells if cell.arm == arm]
        checks.append(_claim(of_arm, bar, "depth", "deeper"))
        checks.append(_claim(of_arm, bar, "batch_size", "larger batch"))
    first = [cell for cell in cells if cell.arm == cells[0].arm]
    return [*checks, *_link_checks(first)]


def _claim(cells: Sequence[SweepCell], bar: float, size: str, word: str) -> Check:
    sizes = sorted({getattr(cell, size) for cell in cells})
    ends = [[cell for cell in cells if getattr(cell, size) == end] for end in (sizes[0], sizes[-1])]
    low, high = (spike_share(end, bar) for end in ends)
    slope = growth_per_doubling(cells, lambda c: int(getattr(c, size)), lambda c: c.excess_nats)
    arm = cells[0].arm
    return Check(
        name=f"{word}, likelier ({arm})",
        expected="a larger excess with each doubling, and a larger spike share at the far end",
        measured=f"spike share {written(low)} at {size} {sizes[0]}, {written(high)} at {sizes[-1]}; "
        f"excess {written(slope)} nats a doubling",
        holds=bool(slope.low > 0 and high.mean > low.mean),
        so=f"'{word.capitalize()}, likelier' held ({arm}).",
        else_=f"'{word.capitalize()}, likelier' was not shown ({arm}): spike share {written(low)} "
        f"at {sizes[0]}, {written(high)} at {sizes[-1]}, excess {written(slope)} nats a doubling.",
    )


def _link_checks(cells: Sequence[SweepCell]) -> list[Check]:
    """Return the links: early gradients, their noise and their signal to noise, by depth and batch."""
    return [
        _link(cells, "batch_size", "old_noise", -1, "batch noise of early gradients falls with batch size"),
        _snr_link(cells, "batch_size", "signal to noise of early gradients rises with batch size"),
        _link(cells, "batch_size", "old_gradient_rms", -1, "early gradients before the switch shrink with batch size"),
        _link(cells, "depth", "old_gradient_rms", -1, "early gradients before the switch shrink with depth"),
        _snr_link(cells, "depth", "signal to noise of early gradients rises with depth"),
        _link(cells, "depth", "kick", 1, "the early layers' kick grows with depth"),
        _link(cells, "batch_size", "kick", 1, "the early layers' kick grows with batch size"),
    ]  # fmt: skip


def _link(cells: Sequence[SweepCell], size: str, value: str, sign: int, sentence: str) -> Check:
    slope = growth_per_doubling(
        cells,
        lambda c: int(getattr(c, size)),
        lambda c: np.log2(np.maximum(getattr(c, value), 1e-30)),
    )
    measured = f"x 2^{written(slope)} a doubling"
    holds = sign * (slope.low if sign > 0 else slope.high) > 0
    return Check(
        name=f"link: {sentence}",
        expected="a factor above 1" if sign > 0 else "a factor below 1",
        measured=measured,
        holds=bool(holds),
        so=f"Link shown: {sentence} ({measured}).",
        else_=f"Link not shown: {sentence} ({measured}).",
    )


def _snr_link(cells: Sequence[SweepCell], size: str, sentence: str) -> Check:
    """Return the link of signal to noise; it may be 0, so it is fitted as it is."""
    slope = growth_per_doubling(cells, lambda c: int(getattr(c, size)), lambda c: c.new_snr)
    measured = f"{written(slope)} a doubling"
    return Check(
        name=f"link: {sentence}",
        expected="growth",
        measured=measured,
        holds=bool(slope.low > 0),
        so=f"Link shown: {sentence} ({measured}).",
        else_=f"Link not shown: {sentence} ({measured}).",
    )
