"""How far raters agree who rated the same duels.

In: opinions. Out: the share of pairs that agree, Cohen's kappa for two raters, Krippendorff's alpha
(interval metric on the seven points). Never: a coefficient where nothing varies; that is None.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from herd.evals.arena.opinions import Opinion

Pair = tuple[Opinion, Opinion]


def agreement(opinions: Sequence[Opinion]) -> dict[str, Any] | None:
    """Return how far the raters of the same duels agree; None where nobody shares one.

    `same_outcome` and `same_point` are shares of pairs; the two kappas are of win, tie and loss.
    """
    groups = _by_item(opinions)
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    if not pairs:
        return None
    raters = sorted({one.rater for group in groups for one in group})
    return {
        "n_items": len(groups),
        "n_pairs": len(pairs),
        "n_raters": len(raters),
        "same_outcome": sum(a.outcome == b.outcome for a, b in pairs) / len(pairs),
        "same_point": sum(a.preference == b.preference for a, b in pairs) / len(pairs),
        "cohen_kappa": _cohen_kappa(pairs, raters[0]) if len(raters) == 2 else None,
        "krippendorff_alpha": _krippendorff_alpha(groups),
    }


def agreement_with_judge(
    people: Sequence[Opinion], judge: Sequence[Opinion]
) -> dict[str, Any] | None:
    """Return how often a judge's outcome is that of a person about the same duel; None without any."""
    said = {one.item_id: one for one in judge}
    pairs = [(one, said[one.item_id]) for one in people if one.item_id in said]
    if not pairs:
        return None
    return {
        "n_items": len({one.item_id for one, _ in pairs}),
        "n_pairs": len(pairs),
        "same_outcome": sum(a.outcome == b.outcome for a, b in pairs) / len(pairs),
        "cohen_kappa": _kappa([(a.outcome, b.outcome) for a, b in pairs]),
    }


def _by_item(opinions: Sequence[Opinion]) -> list[list[Opinion]]:
    groups: dict[str, list[Opinion]] = {}
    for one in opinions:
        groups.setdefault(one.item_id, []).append(one)
    return [group for group in groups.values() if len(group) > 1]


def _cohen_kappa(pairs: Sequence[Pair], first_rater: str) -> float | None:
    """Each pair with the same rater first: their habits are what chance is reckoned from."""
    ordered = [(a, b) if a.rater == first_rater else (b, a) for a, b in pairs]
    return _kappa([(a.outcome, b.outcome) for a, b in ordered])


def _kappa(pairs: Sequence[tuple[int, int]]) -> float | None:
    n = len(pairs)
    mine, theirs = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(mine[one] * theirs[one] for one in mine) / n**2
    if by_chance == 1:
        return None
    return (sum(a == b for a, b in pairs) / n - by_chance) / (1 - by_chance)


def _krippendorff_alpha(groups: Sequence[Sequence[Opinion]]) -> float | None:
    """1 - observed / expected disagreement, squared differences (Krippendorff 2011)."""
    values = Counter(one.preference for group in groups for one in group)
    n = values.total()
    expected = sum(values[a] * values[b] * (a - b) ** 2 for a, b in combinations(sorted(values), 2))
    if not expected:
        return None
    observed = sum(_disagreement(group) for group in groups)
    return 1 - (n - 1) * observed / expected


def _disagreement(group: Sequence[Opinion]) -> float:
    squares = ((a.preference - b.preference) ** 2 for a, b in combinations(group, 2))
    return sum(squares) / (len(group) - 1)
