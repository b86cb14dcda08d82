"""How a clip of tensors tells the log what it did: at the onset of an episode and at its end.

In: one size and one factor a tensor, on the device. Out: records of an episode.
Never: a read from the device when nobody logs.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from herd.stability.interventions.episode import Episode, named
from herd.stability.interventions.stage import StepRun


def report_clip(
    episode: Episode,
    run: StepRun,
    names: Sequence[str],
    *,
    sizes_T: Tensor,
    factors_T: Tensor,
    quantity: str,
    acts: Callable[[str], bool] = lambda _: True,
) -> None:
    """Tell the episode which tensors were scaled down, and `quantity` of the worst before and after.

    `acts` says of a name whether its factor was used.
    """
    if run.log is None:
        return
    factors = factors_T.tolist()
    clipped = [i for i, factor in enumerate(factors) if factor < 1 and acts(names[i])]
    if not clipped:
        episode.observe(run.log, run.step, acted=False)
        return
    sizes = sizes_T.tolist()
    worst = min(clipped, key=lambda i: factors[i])
    before, after = sizes[worst], sizes[worst] * factors[worst]
    episode.observe(
        run.log,
        run.step,
        acted=True,
        what=(
            f"{episode.intervention} begins: {quantity} of {names[worst]} from {before:.4g} to "
            f"{after:.4g}; {len(clipped)} of {len(names)} tensors "
            f"({named([names[i] for i in clipped])})"
        ),
        before={quantity: before, "n_tensors": 0},
        after={quantity: after, "n_tensors": len(clipped)},
    )


def at_most_one(ratio_T: Tensor) -> Tensor:
    """Return min(ratio, 1), and 1 where the ratio is not a number: no clip can mend that."""
    return torch.nan_to_num(ratio_T, nan=1.0, posinf=1.0).clamp(max=1.0)
