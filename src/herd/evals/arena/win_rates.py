"""Wins, losses and ties of two models, and their win rates with 95 % intervals.

The win rate leaves ties out, as the Llama 3 paper's does; the net win rate, wins minus losses over all,
counts them. Several ratings of one duel are no independent evidence: intervals are over duels.
In: opinions. Out: plain values; what is said of the second model mirrors what is said of the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from herd.evals.arena.opinions import Opinion
from herd.evals.intervals import Interval, mean_interval

HISTOGRAM = (
    "much better", "better", "slightly better", "about the same", "slightly worse", "worse",
    "much worse",
)  # fmt: skip
Values = dict[str, Any]


def standing(opinions: Sequence[Opinion], names: tuple[str, str]) -> Values:
    """Return both models' figures, and those of each category where there are any."""
    categories = sorted({one.category for one in opinions} - {""})
    by_category = {
        name: _figures([one for one in opinions if one.category == name], names)
        for name in categories
    }
    return _figures(opinions, names) | {"by_category": by_category}


def _figures(opinions: Sequence[Opinion], names: tuple[str, str]) -> Values:
    first = _of_first(opinions)
    return {
        "n_ratings": len(opinions),
        "n_items": len({one.item_id for one in opinions}),
        "models": [{"name": names[0], **first}, {"name": names[1], **_mirrored(first)}],
    }


def _of_first(opinions: Sequence[Opinion]) -> Values:
    outcomes = [one.outcome for one in opinions]
    counts = [sum(one.preference == 3 - at for one in opinions) for at in range(len(HISTOGRAM))]
    return {
        "wins": outcomes.count(1),
        "losses": outcomes.count(-1),
        "ties": outcomes.count(0),
        "histogram": dict(zip(HISTOGRAM, counts, strict=True)),
        "win_rate": _win_rate([one for one in opinions if one.outcome]),
        "net_win_rate": _net_win_rate(opinions),
    }


def _win_rate(decided: Sequence[Opinion]) -> Values | None:
    if not decided:
        return None
    return _interval(
        mean_interval([float(one.outcome > 0) for one in decided], [one.item_id for one in decided])
    )


def _net_win_rate(opinions: Sequence[Opinion]) -> Values | None:
    """-1 to 1, by the interval of a mean of 0, 1/2 and 1."""
    if not opinions:
        return None
    halves = mean_interval(
        [(1 + one.outcome) / 2 for one in opinions], [one.item_id for one in opinions]
    )
    low, high = 2 * halves.low - 1, 2 * halves.high - 1
    return _interval(
        Interval(2 * halves.score - 1, low, high, halves.method, halves.n, halves.clusters)
    )


def _interval(found: Interval) -> Values:
    return asdict(found)


def _mirrored(first: Mapping[str, Any]) -> Values:
    """The same figures as the second model sees them."""
    counts = reversed(first["histogram"].values())
    return {
        "wins": first["losses"],
        "losses": first["wins"],
        "ties": first["ties"],
        "histogram": dict(zip(HISTOGRAM, counts, strict=True)),
        "win_rate": _turned(first["win_rate"], 1.0),
        "net_win_rate": _turned(first["net_win_rate"], 0.0),
    }


def _turned(found: Mapping[str, Any] | None, whole: float) -> Values | None:
    if found is None:
        return None
    turned = {name: whole - found[name] for name in ("score", "low", "high")}
    return {**found, "score": turned["score"], "low": turned["high"], "high": turned["low"]}
