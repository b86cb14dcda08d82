"""What was said about duels, un-blinded: ratings of people and verdicts of judges as preferences.

In: duels, ratings, verdicts. Out: opinions, one of each person or judge about a duel. Never: a pass, a text
without a rating or a duel judged in one order only taken for a tie.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from herd.evals.arena.duel import Duel, outcome_of
from herd.evals.arena.rating import Rating, latest_ratings
from herd.evals.arena.verdict import Verdict, both_orders, latest_verdicts


@dataclass(frozen=True, slots=True)
class Opinion:
    """`preference`: 3 is "the first model much better", 0 "the same", -3 "the second much better"."""

    item_id: str
    rater: str
    preference: int
    category: str = ""

    @property
    def outcome(self) -> int:
        """1 where the first model wins, -1 where it loses, 0 for a tie."""
        return outcome_of(self.preference)


@dataclass(frozen=True, slots=True)
class JudgedDuel:
    """The preferences of a judge in both orders about one duel."""

    item_id: str
    plain: int
    swapped: int

    @property
    def is_consistent(self) -> bool:
        """Whether both orders have the same outcome."""
        return outcome_of(self.plain) == outcome_of(self.swapped)

    @property
    def is_contradiction(self) -> bool:
        """Whether one order prefers one model and the other the other."""
        return self.plain * self.swapped < 0


def opinions_of_people(duels: Mapping[str, Duel], ratings: Iterable[Rating]) -> list[Opinion]:
    """Return the last word of each person about each known duel, without passes."""
    return [
        Opinion(
            one.item_id,
            one.rater,
            duels[one.item_id].preference(one.value),
            duels[one.item_id].category,
        )
        for one in latest_ratings(ratings)
        if one.value is not None and one.item_id in duels
    ]


def judged_duels(
    duels: Mapping[str, Duel], verdicts: Iterable[Verdict], judge: str
) -> list[JudgedDuel]:
    """Return the duels that a judge rated in both orders, in the duels' order."""
    last = latest_verdicts(verdicts)
    found = []
    for item_id, duel in duels.items():
        preferences = [
            duel.preference(one.rating, swapped=swapped)
            for swapped in (False, True)
            if (one := last.get((judge, item_id, swapped))) is not None and one.rating is not None
        ]
        if len(preferences) == 2:
            found.append(JudgedDuel(item_id, preferences[0], preferences[1]))
    return found


def opinions_of_judge(
    duels: Mapping[str, Duel], judged: Iterable[JudgedDuel], judge: str
) -> list[Opinion]:
    """Return what both orders say together about each duel."""
    return [
        Opinion(
            one.item_id, judge, both_orders(one.plain, one.swapped), duels[one.item_id].category
        )
        for one in judged
    ]
