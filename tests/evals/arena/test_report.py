"""The report: counts add up, intervals hold what they promise, swapping the models mirrors it."""

import dataclasses
import json

import numpy as np
import pytest

from herd.evals.arena import Duel, Rating, Verdict, arena_report

PROMPT = ({"role": "user", "content": "?"},)
NAMES = ("alpha", "beta")


def world(rng, n, shares):
    """Duels and one rating each, the first model's preference drawn from `shares` of 3 .. -3."""
    lefts = rng.integers(2, size=n)
    preferences = 3 - rng.choice(7, size=n, p=shares)
    duels = [Duel(f"q{i}", PROMPT, ("a", "b"), left=int(left)) for i, left in enumerate(lefts)]
    ratings = [
        Rating(duel.item_id, "r", int(4 + p if duel.left else 4 - p))
        for duel, p in zip(duels, preferences, strict=True)
    ]
    return duels, ratings


def swapped(duels):
    """The same duels as they are shown, the two models having changed places."""
    return [dataclasses.replace(one, answers=one.answers[::-1], left=1 - one.left) for one in duels]


def test_ratings_become_wins_losses_ties_and_a_histogram() -> None:
    duels = [Duel(f"q{i}", PROMPT, ("a", "b"), left=i % 2) for i in range(7)]
    ratings = [Rating(f"q{i}", "r", i + 1) for i in range(7)]
    people = arena_report(duels, ratings, names=NAMES)["people"]
    alpha, beta = people["models"]
    # q0 and q5 are for alpha (left much better; right better, where alpha stands right).
    assert (alpha["wins"], alpha["ties"], alpha["losses"]) == (2, 3, 2)
    assert list(alpha["histogram"].values()) == [1, 1, 1, 1, 1, 1, 1]
    assert (beta["name"], beta["wins"], beta["losses"]) == ("beta", 2, 2)
    assert alpha["win_rate"]["score"] == 0.5 and alpha["win_rate"]["n"] == 4


def test_win_rates_leave_ties_out_and_net_win_rates_count_them() -> None:
    duels = [Duel(f"q{i}", PROMPT, ("a", "b")) for i in range(10)]
    values = [1, 1, 2, 3, 4, 4, 5, 3, 6, 7]
    ratings = [Rating(f"q{i}", "r", value) for i, value in enumerate(values)]
    alpha, beta = arena_report(duels, ratings)["people"]["models"]
    assert (alpha["wins"], alpha["ties"], alpha["losses"]) == (3, 5, 2)
    assert alpha["win_rate"]["score"] == pytest.approx(0.6)
    assert alpha["net_win_rate"]["score"] == pytest.approx(0.1)
    assert beta["net_win_rate"]["score"] == pytest.approx(-0.1)
    assert beta["win_rate"]["low"] == pytest.approx(1 - alpha["win_rate"]["high"])


def test_intervals_cover_the_truth_in_95_of_100_worlds() -> None:
    rng = np.random.default_rng(0)
    shares = np.array([0.1, 0.25, 0.15, 0.15, 0.1, 0.15, 0.1])
    win, net = 0.35 / 0.6, 0.1
    covered = []
    for _ in range(600):
        duels, ratings = world(rng, 150, shares)
        alpha = arena_report(duels, ratings)["people"]["models"][0]
        rates = alpha["win_rate"], alpha["net_win_rate"]
        covered.append(
            [
                one["low"] <= truth <= one["high"]
                for one, truth in zip(rates, (win, net), strict=True)
            ]
        )
    assert ((np.mean(covered, 0) > 0.93) & (np.mean(covered, 0) < 0.975)).all()


def test_five_raters_of_one_duel_are_no_five_duels() -> None:
    rng = np.random.default_rng(1)
    duels, ratings = world(rng, 40, np.array([0.2, 0.3, 0, 0, 0, 0.3, 0.2]))
    many = [dataclasses.replace(one, rater=f"r{k}") for one in ratings for k in range(5)]
    alone, five = (arena_report(duels, one)["people"] for one in (ratings, many))
    widths = [
        one["models"][0]["win_rate"]["high"] - one["models"][0]["win_rate"]["low"]
        for one in (alone, five)
    ]
    assert five["n_ratings"] == 200 and five["n_raters"] == 5
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_swapping_the_models_mirrors_the_report() -> None:
    rng = np.random.default_rng(2)
    duels, ratings = world(rng, 60, np.full(7, 1 / 7))
    duels = [dataclasses.replace(one, category="xy"[i % 2]) for i, one in enumerate(duels)]
    ratings += [dataclasses.replace(one, rater="s", value=4) for one in ratings[:20]]
    verdicts = [
        Verdict(one.item_id, "j", order, "", int(rng.integers(1, 8)))
        for one in duels
        for order in (False, True)
    ]
    there = arena_report(duels, ratings, verdicts, names=NAMES)
    back = arena_report(swapped(duels), ratings, verdicts, names=NAMES[::-1])
    for one, other in ((there["people"], back["people"]), (there["judges"][0], back["judges"][0])):
        assert flat(one["models"]) == pytest.approx(flat(other["models"][::-1]))
        for category in "xy":
            mine, theirs = (each["by_category"][category]["models"] for each in (one, other))
            assert flat(mine) == pytest.approx(flat(theirs[::-1]))
    assert there["judges"][0]["position"] == back["judges"][0]["position"]
    assert there["people"]["agreement"] == pytest.approx(back["people"]["agreement"])


def flat(models):
    return {
        f"{at} {name} {inner}": number
        for at, model in enumerate(models)
        for name, value in model.items()
        for inner, number in (value if isinstance(value, dict) else {"": value}).items()
        if not isinstance(number, str)
    }


def test_the_order_of_ratings_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    duels, ratings = world(rng, 30, np.full(7, 1 / 7))
    report = arena_report(duels, ratings)
    again = arena_report(duels, [ratings[i] for i in rng.permutation(30)])
    assert flat(again["people"]["models"]) == pytest.approx(flat(report["people"]["models"]))


def test_passes_corrections_and_unknown_items_are_said() -> None:
    duels = [Duel(f"q{i}", PROMPT, ("a", "b")) for i in range(3)]
    ratings = [
        Rating("q0", "r", 7), Rating("q0", "r", 1), Rating("q1", "r", None), Rating("?", "r", 1),
    ]  # fmt: skip
    report = arena_report(duels, ratings, notes=("n",))
    assert report["people"]["models"][0]["wins"] == 1 and report["people"]["n_ratings"] == 1
    assert (report["people"]["n_skipped"], report["n_unknown_items"]) == (1, 1)
    assert report["notes"] == ["n"] and json.loads(json.dumps(report, allow_nan=False)) == report


def test_nothing_rated_is_a_report_too() -> None:
    duels = [Duel("q", PROMPT, ("a", "b"))]
    assert arena_report(duels, [])["people"] is None
    passed = arena_report(duels, [Rating("q", "r", None)])["people"]
    assert passed["models"][0]["win_rate"] is None and passed["models"][0]["net_win_rate"] is None


def test_one_order_without_a_readable_rating_leaves_the_duel_out() -> None:
    duels = [Duel("q", PROMPT, ("a", "b"))]
    verdicts = [Verdict("q", "j", False, "RATING: 1", 1), Verdict("q", "j", True, "hm", None)]
    (judge,) = arena_report(duels, [], verdicts)["judges"]
    assert judge["n_items"] == 0 and judge["n_one_order_only"] == 1
    assert judge["unreadable"] == [{"item": "q", "swapped": True, "text": "hm"}]
