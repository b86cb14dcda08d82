"""What counts as a spike when the data change at a known step: losing more than not training at all.

In: losses of a run, and of its frozen weights on the same batches. Out: excess losses, z-scores,
labels. New data raise the loss without any instability: the plain rule, loss z > 6 against the
rolling 100 steps, fires at the switch even for weights that never move again. So a run is compared
with its own weights frozen at the switch, batch by batch: what the data cost cancels, what is left
is the work of the updates made since. A spike is an excess above 6 standard deviations of the batch
noise (of the frozen weights' loss after the switch, which no update has touched).
"""

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
SPIKE_Z = 6.0
WINDOW_STEPS = 100
LEAST_SIGMA_NATS = 1e-6


def excess_loss(loss_nats: Array, frozen_loss_nats: Array) -> Array:
    """Return what the updates since the switch cost, in nats; NaN where nothing was frozen yet.

    A loss that is not finite costs infinitely much.
    """
    excess: Array = np.where(np.isfinite(loss_nats), loss_nats - frozen_loss_nats, np.inf)
    return np.where(np.isfinite(frozen_loss_nats), excess, np.nan)


def batch_noise(frozen_loss_nats: Array) -> Array:
    """Return the standard deviation over steps, `[seed]`, of the loss that no update has touched."""
    noise: Array = np.maximum(np.nanstd(frozen_loss_nats, axis=-1), LEAST_SIGMA_NATS)
    return noise


def excess_scores(loss_nats: Array, frozen_loss_nats: Array) -> Array:
    """Return z, `[seed, step]`: the excess in standard deviations of the batch noise."""
    sigma = batch_noise(frozen_loss_nats)
    return excess_loss(loss_nats, frozen_loss_nats) / sigma[..., None]


def largest_excess(loss_nats: Array, frozen_loss_nats: Array) -> Array:
    """Return the largest excess of each run, `[seed]`, in nats; never below 0: training may stop."""
    largest: Array = np.nanmax(excess_loss(loss_nats, frozen_loss_nats), axis=-1)
    return np.maximum(0.0, largest)


def first_spike_step(loss_nats: Array, frozen_loss_nats: Array) -> int | None:
    """Return the first step of one run whose excess is a spike, or None."""
    with np.errstate(invalid="ignore"):
        found = np.flatnonzero(excess_scores(loss_nats, frozen_loss_nats) > SPIKE_Z)
    return int(found[0]) if found.size else None


def rolling_scores(loss_nats: Array, window_steps: int = WINDOW_STEPS) -> Array:
    """Return the plain z of one run, `[step]`: against the steps before, at most `window_steps`.

    NaN before there are two. The standard deviation is at least 1e-6 nats.
    """
    scores = np.full(loss_nats.shape, np.nan)
    for step in range(2, len(loss_nats)):
        window = loss_nats[max(0, step - window_steps) : step]
        scores[step] = (loss_nats[step] - window.mean()) / max(window.std(), LEAST_SIGMA_NATS)
    return scores
