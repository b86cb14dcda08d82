"""What a comparison says: who wins how often, by whom, and how far that can be trusted.

In: duels, ratings of people, verdicts of judges. Out: plain values. Never: people and judges thrown
together; what was passed over, unreadable or refused left unsaid.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from herd.evals.arena.agreement import agreement, agreement_with_judge
from herd.evals.arena.duel import MIDDLE, Duel
from herd.evals.arena.opinions import (
    JudgedDuel,
    Opinion,
    judged_duels,
    opinions_of_judge,
    opinions_of_people,
)
from herd.evals.arena.rating import Rating, latest_ratings
from herd.evals.arena.verdict import Verdict, latest_verdicts
from herd.evals.arena.win_rates import standing

Values = dict[str, Any]
DEFAULT_NAMES = ("first", "second")


def arena_report(
    duels: Sequence[Duel],
    ratings: Iterable[Rating],
    verdicts: Iterable[Verdict] = (),
    *,
    names: tuple[str, str] = DEFAULT_NAMES,
    notes: Sequence[str] = (),
) -> Values:
    """Return the report of a comparison; `people` is None where nobody rated.

    A win is "better" or "much better". Win rates leave ties out; net win rates count them.
    """
    known = {one.item_id: one for one in duels}
    said, judged = list(ratings), list(verdicts)
    people = opinions_of_people(known, said)
    judges = sorted({one.judge for one in judged})
    rated = {one.item_id for one in said} | {one.item_id for one in judged}
    return {
        "models": list(names),
        "n_duels": len(duels),
        "people": _people(people, said, known, names) if said else None,
        "judges": [_judge(name, judged, known, names, people) for name in judges],
        "n_unknown_items": len(rated - known.keys()),
        "notes": list(notes),
    }


def _people(
    opinions: Sequence[Opinion],
    ratings: Iterable[Rating],
    known: Mapping[str, Duel],
    names: tuple[str, str],
) -> Values:
    last = [one for one in latest_ratings(ratings) if one.item_id in known]
    by_rater = Counter(one.rater for one in opinions)
    return {
        **standing(opinions, names),
        "n_raters": len(by_rater),
        "raters": dict(sorted(by_rater.items())),
        "n_skipped": sum(one.value is None for one in last),
        "agreement": agreement(opinions),
    }


def _judge(
    name: str,
    verdicts: Sequence[Verdict],
    known: Mapping[str, Duel],
    names: tuple[str, str],
    people: Sequence[Opinion],
) -> Values:
    own = [
        one
        for one in latest_verdicts(verdicts).values()
        if one.judge == name and one.item_id in known
    ]
    judged = judged_duels(known, own, name)
    opinions = opinions_of_judge(known, judged, name)
    unreadable = [one for one in own if one.rating is None and not one.error]
    return {
        "judge": name,
        **standing(opinions, names),
        "n_verdicts": len(own),
        "n_unreadable": len(unreadable),
        "unreadable": sorted(
            ({"item": one.item_id, "swapped": one.swapped, "text": one.text} for one in unreadable),
            key=lambda row: (row["item"], row["swapped"]),
        ),
        "n_refused": sum(bool(one.error) for one in own),
        "n_one_order_only": _n_one_order_only(own, judged),
        "position": _position(own, judged),
        "agreement_with_people": agreement_with_judge(people, opinions),
    }


def _n_one_order_only(own: Sequence[Verdict], judged: Sequence[JudgedDuel]) -> int:
    rated = {one.item_id for one in own if one.rating is not None}
    return len(rated - {one.item_id for one in judged})


def _position(own: Sequence[Verdict], judged: Sequence[JudgedDuel]) -> Values:
    """How much the place of an answer decides: consistency of both orders, share of "left"."""
    sides = [one.rating for one in own if one.rating is not None]
    n_left, n_right = sum(one < MIDDLE for one in sides), sum(one > MIDDLE for one in sides)
    return {
        "n_judged_twice": len(judged),
        "consistency": _share(sum(one.is_consistent for one in judged), len(judged)),
        "n_contradictions": sum(one.is_contradiction for one in judged),
        "n_left": n_left,
        "n_right": n_right,
        "n_middle": len(sides) - n_left - n_right,
        "left_share": _share(n_left, n_left + n_right),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
