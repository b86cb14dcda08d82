"""From sums to statistics: what a person or a detector reads of one step, for tensors and layers.

In: the sums of `update_sums`, a row a tensor, as float64 arrays. Out: `StatisticsTable`, every
statistic as an array over rows, and `UpdateStatistics`, one row of it with the histograms.
Source: the estimators of rho invert the closed forms in `theory`; StableAdamW's RMS is
sqrt(mean(g^2 / max(v, eps^2))), Wortsman et al. 2023.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from herd.stability.histogram_shape import bimodality, dip, valley_ratio
from herd.stability.theory import correlation_from_cosine, correlation_from_update_rms
from herd.stability.update_sums import SUMS

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateStatistics:
    """One Adam step of one tensor or layer. NaN where there is nothing to say.

    Fractions are of coordinates. `alignment` is cos(g_t, u_{t-1}), `gradient_momentum_cosine` is
    cos(g_t, m_{t-1}); the two `rho` are the correlations in time that the cosine and the RMS imply.
    `present_cold_fraction` counts coordinates with a gradient only. Histograms: 64 counts over
    [-1.3, 1.3], the outer ones take the rest.
    """

    n: int
    update_rms: float
    update_max: float
    bimodality: float
    active_bimodality: float
    valley_ratio: float
    active_valley_ratio: float
    dip: float
    gradient_momentum_cosine: float
    rho_from_cosine: float
    rho_from_rms: float
    alignment: float
    cold_fraction: float
    near_cold_fraction: float
    present_cold_fraction: float
    stable_adamw_rms: float
    spike_share: float
    kicked_share: float
    zero_gradient_fraction: float
    gradient_rms: float
    second_moment_rms: float
    update_to_weight: float
    nonfinite: bool
    histogram: tuple[int, ...]
    active_histogram: tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class StepTable:
    """One step on the host. Arrays over tensors, rates and beta1 of the groups that own them."""

    sums_TS: Array
    u_max_T: Array
    counts_TCB: Array
    present_T: Array
    learning_rate_T: Array
    beta1_T: Array

    def by_layer(self, layer_T: np.ndarray, n_layers: int) -> "StepTable":
        """Return the same step with tensors of one layer added up; constants are the first's."""
        sums = np.zeros((n_layers, self.sums_TS.shape[1]))
        counts = np.zeros((n_layers, *self.counts_TCB.shape[1:]))
        largest = np.zeros(n_layers)
        present = np.zeros(n_layers)
        np.add.at(sums, layer_T, self.sums_TS)
        np.add.at(counts, layer_T, self.counts_TCB)
        np.maximum.at(largest, layer_T, self.u_max_T)
        np.maximum.at(present, layer_T, self.present_T)
        first = np.array([int(np.argmax(layer_T == layer)) for layer in range(n_layers)])
        return StepTable(
            sums, largest, counts, present, self.learning_rate_T[first], self.beta1_T[first]
        )


def valley_within(counts: Sequence[float]) -> float:
    """Return the valley ratio within the histogram's edges; 0 if most of it lies beyond them.

    The outer bins take what lies beyond, and would look like humps of their own.
    """
    beyond = counts[0] + counts[-1]
    return 0.0 if beyond > sum(counts) / 2 else valley_ratio(counts[1:-1])


class StatisticsTable:
    """Every statistic of one step as an array over rows; those of shape are made when asked for."""

    def __init__(self, step: StepTable) -> None:
        self._step = step
        self._sum = {name: step.sums_TS[:, i] for i, name in enumerate(SUMS)}

    @cached_property
    def present(self) -> np.ndarray:
        """Rows whose tensors had a gradient and hold a coordinate."""
        return (self._step.present_T > 0) & (self._sum["n"] > 0)

    @cached_property
    def nonfinite(self) -> np.ndarray:
        """Rows whose gradient or moments are not finite, or too large to be squared in float32."""
        return ~np.isfinite(self._sum["g2"] + self._sum["u2"])

    @cached_property
    def update_rms(self) -> Array:
        """RMS of the update."""
        return np.sqrt(self._mean("u2"))

    @cached_property
    def alignment(self) -> Array:
        """cos(g_t, u_{t-1}): above 0, the last step went downhill as seen from here."""
        return self._cosine("gp", "p2")

    @cached_property
    def gradient_momentum_cosine(self) -> Array:
        """cos(g_t, m_{t-1}): how far gradients keep their direction in time."""
        return self._cosine("gm", "m2")

    @cached_property
    def rho_from_cosine(self) -> Array:
        """The lag-1 correlation of gradients that the cosine implies."""
        pairs = zip(self._step.beta1_T, self.gradient_momentum_cosine, strict=True)
        return np.array([correlation_from_cosine(beta1, cosine) for beta1, cosine in pairs])

    @cached_property
    def stable_adamw_rms(self) -> Array:
        """sqrt(mean(g^2 / max(v, eps^2))): 1 in health, large when v was left behind."""
        return np.sqrt(self._mean("stable"))

    @cached_property
    def cold_fraction(self) -> Array:
        """Share of coordinates with sqrt(v) below epsilon before the step."""
        return self._mean("cold")

    @cached_property
    def present_cold_fraction(self) -> Array:
        """The same among coordinates whose gradient is not zero."""
        with np.errstate(all="ignore"):
            there = self._sum["n"] - self._sum["zero"]
            return np.where(there > 0, self._sum["present_cold"] / there, 0.0)

    @cached_property
    def kicked_share(self) -> Array:
        """Share of coordinates at or beyond what one gradient does to a cold coordinate."""
        return self._mean("kicked")

    @cached_property
    def spike_share(self) -> Array:
        """Share with g^2 > 5000 max(v, eps^2), as SPAM counts."""
        return self._mean("spiking")

    @cached_property
    def update_to_weight(self) -> Array:
        """Learning rate times RMS of the update over RMS of the weights."""
        with np.errstate(all="ignore"):
            return self._step.learning_rate_T * self.update_rms / np.sqrt(self._mean("w2"))

    @cached_property
    def bimodality(self) -> Array:
        """(skewness^2 + 1)/kurtosis of the update over all coordinates."""
        return self._bimodality("n", "u1", "u2", "u3", "u4")

    @cached_property
    def active_bimodality(self) -> Array:
        """The same over coordinates with sqrt(v) above epsilon."""
        return self._bimodality("active_n", "active_u1", "active_u2", "active_u3", "active_u4")

    @cached_property
    def valley_ratio(self) -> Array:
        """Height of the histogram around 0 over its greatest height."""
        return np.array([valley_within(counts.sum(0)) for counts in self._step.counts_TCB])

    def row(self, index: int) -> UpdateStatistics:
        """Return everything about one row."""
        counts = self._step.counts_TCB[index]
        every, active = counts.sum(0).tolist(), counts[1].tolist()
        beta1 = float(self._step.beta1_T[index])
        plain = {
            name: float(getattr(self, name)[index])
            for name in (field.name for field in fields(UpdateStatistics))
            if hasattr(StatisticsTable, name) and name != "nonfinite"
        }
        update_rms = plain["update_rms"]
        return UpdateStatistics(
            **plain,
            n=int(self._sum["n"][index]),
            update_max=float(self._step.u_max_T[index]),
            active_valley_ratio=valley_within(active),
            dip=dip(every),
            rho_from_rms=(
                correlation_from_update_rms(beta1, update_rms)
                if np.isfinite(update_rms)
                else float("nan")
            ),
            near_cold_fraction=float(self._mean("near_cold")[index]),
            zero_gradient_fraction=float(self._mean("zero")[index]),
            gradient_rms=float(np.sqrt(self._mean("g2")[index])),
            second_moment_rms=float(np.sqrt(self._mean("v")[index])),
            nonfinite=bool(self.nonfinite[index]),
            histogram=tuple(int(count) for count in every),
            active_histogram=tuple(int(count) for count in active),
        )

    def _mean(self, name: str) -> Array:
        with np.errstate(all="ignore"):
            return self._sum[name] / np.where(self._sum["n"] > 0, self._sum["n"], np.nan)

    def _cosine(self, product: str, other: str) -> Array:
        with np.errstate(all="ignore"):
            scale = np.sqrt(self._sum["g2"] * self._sum[other])
            return np.where(scale > 0, self._sum[product] / scale, 0.0)

    def _bimodality(self, *names: str) -> Array:
        columns = (self._sum[name] for name in names)
        return np.array([bimodality(*row) for row in zip(*columns, strict=True)])
