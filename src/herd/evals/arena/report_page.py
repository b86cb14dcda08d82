"""The page about a comparison: win rates, and every duel with both answers and what was said of them.

In: a comparison and its report. Out: one HTML file that opens anywhere. Never: a text of a model or a
judge taken for markup.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from herd.evals.arena.directory import ArenaDirectory
from herd.evals.arena.duel import Duel, outcome_of
from herd.evals.arena.opinions import judged_duels, opinions_of_judge, opinions_of_people
from herd.evals.arena.rating import Rating, latest_ratings
from herd.evals.arena.report_table import (
    ABOUT_RATES,
    STANDING_COLUMNS,
    rate_words,
    report_lines,
    standing_rows,
    standings,
)
from herd.evals.arena.text import harmless
from herd.evals.arena.verdict import Verdict, latest_verdicts
from herd.evals.arena.win_rates import HISTOGRAM
from herd.foundation import PageTable, render_page, write_text

PAGE = "report.html"
TONES = ("strong-first", "plain-first", "faint-first", "same", "faint-second", "plain-second", "strong-second")  # fmt: skip
Values = Mapping[str, Any]


def write_report_page(arena: ArenaDirectory, report: Values) -> Path:
    """Write the page into the comparison's directory; return its path."""
    page = render_page(
        "herd.evals.arena",
        "report_page.html.jinja",
        title=harmless(f"{arena.names[0]} against {arena.names[1]}"),
        subtitle=f"{len(arena.duels):,} prompts, judged blind on seven points",
        names=[harmless(name) for name in arena.names],
        headline=_headline(report),
        about=ABOUT_RATES,
        standings=[_standing(title, one) for title, one in standings(report)],
        lines=[harmless(line) for line in report_lines(report)],
        unreadable=_unreadable(report),
        duels=_duels(arena),
    )
    path = arena.path / PAGE
    write_text(path, page)
    return path


def _headline(report: Values) -> dict[str, str]:
    cards = {"prompts": f"{report['n_duels']:,}"}
    for title, standing in standings(report):
        first = standing["models"][0]
        score, _, interval = rate_words(first["win_rate"]).partition(" ")
        what = f"win rate of {first['name']} by {title}, ties left out {interval}"
        cards[harmless(what)] = score
    return cards


def _standing(title: str, standing: Values) -> dict[str, Any]:
    first = standing["models"][0]
    counts, total = first["histogram"].values(), max(standing["n_ratings"], 1)
    bars = [
        {"tone": tone, "n": n, "percent": 100 * n / total, "words": words}
        for tone, n, words in zip(TONES, counts, HISTOGRAM, strict=True)
    ]
    return {
        "title": harmless(title),
        "line": f"{standing['n_ratings']:,} ratings of {standing['n_items']:,} prompts",
        "bars": bars,
        "table": PageTable(columns=STANDING_COLUMNS, rows=standing_rows(standing)),
    }


def _unreadable(report: Values) -> list[dict[str, str]]:
    return [
        {"title": harmless(f"{judge['judge']}, {row['item']}"), "text": harmless(row["text"])}
        for judge in report["judges"]
        for row in judge["unreadable"]
    ]


def _duels(arena: ArenaDirectory) -> list[dict[str, Any]]:
    known = {one.item_id: one for one in arena.duels}
    ratings, verdicts = latest_ratings(arena.ratings()), arena.verdicts()
    people = opinions_of_people(known, ratings)
    preferences: dict[str, list[int]] = {}
    for opinion in people:
        preferences.setdefault(opinion.item_id, []).append(opinion.preference)
    judges = sorted({one.judge for one in verdicts})
    by_judge: dict[str, dict[str, int]] = {name: {} for name in judges}
    for name in judges:
        for opinion in opinions_of_judge(known, judged_duels(known, verdicts, name), name):
            by_judge[name][opinion.item_id] = opinion.preference
            if not people:
                preferences.setdefault(opinion.item_id, []).append(opinion.preference)
    said = _grouped(ratings, list(latest_verdicts(verdicts).values()))
    return [
        _shown_duel(duel, arena.names, preferences.get(duel.item_id, []), said, by_judge)
        for duel in arena.duels
    ]


def _grouped(
    ratings: Sequence[Rating], verdicts: Sequence[Verdict]
) -> dict[str, tuple[list[Rating], list[Verdict]]]:
    groups: dict[str, tuple[list[Rating], list[Verdict]]] = {}
    for rating in ratings:
        groups.setdefault(rating.item_id, ([], []))[0].append(rating)
    for verdict in verdicts:
        groups.setdefault(verdict.item_id, ([], []))[1].append(verdict)
    return groups


def _shown_duel(
    duel: Duel,
    names: tuple[str, str],
    preferences: Sequence[int],
    said: Mapping[str, tuple[list[Rating], list[Verdict]]],
    by_judge: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    ratings, verdicts = said.get(duel.item_id, ([], []))
    prompt = harmless(duel.messages[-1]["content"])
    lines = [_rating_line(one, duel, names) for one in ratings]
    for judge, found in by_judge.items():
        if duel.item_id in found:
            lines.append(
                f"judge {judge}, both orders together: {_words(found[duel.item_id], names)}"
            )
    outcome, words = _outcome(preferences, names)
    return {
        "id": harmless(duel.item_id),
        "category": harmless(duel.category),
        "opening": " ".join(prompt[:400].split())[:100],
        "messages": [{"role": m["role"], "content": harmless(m["content"])} for m in duel.messages],
        "answers": [harmless(answer) for answer in duel.answers],
        "left": duel.left,
        "outcome": outcome,
        "outcome_words": harmless(words),
        "lines": [harmless(line) for line in lines],
        "verdicts": [_shown_verdict(one, duel, names) for one in verdicts],
    }


def _outcome(preferences: Sequence[int], names: tuple[str, str]) -> tuple[str, str]:
    """Whoever wins more often; a tie where both win as often."""
    if not preferences:
        return "unrated", "not rated"
    sum_of_outcomes = sum(outcome_of(one) for one in preferences)
    if sum_of_outcomes == 0:
        return "tie", "tie"
    return ("first", names[0]) if sum_of_outcomes > 0 else ("second", names[1])


def _words(preference: int, names: tuple[str, str]) -> str:
    if preference == 0:
        return HISTOGRAM[3]
    return f"{names[0] if preference > 0 else names[1]} {HISTOGRAM[3 - abs(preference)]}"


def _rating_line(rating: Rating, duel: Duel, names: tuple[str, str]) -> str:
    if rating.value is None:
        return f"{rating.rater}: passed over"
    return f"{rating.rater}: {_words(duel.preference(rating.value), names)}"


def _shown_verdict(verdict: Verdict, duel: Duel, names: tuple[str, str]) -> dict[str, str]:
    left = names[duel.left ^ verdict.swapped]
    if verdict.error:
        words = "refused"
    elif verdict.rating is None:
        words = "no readable rating"
    else:
        words = _words(duel.preference(verdict.rating, swapped=verdict.swapped), names)
    return {
        "title": harmless(f"judge {verdict.judge}, {left} on the left: {words}"),
        "text": harmless(verdict.error or verdict.text),
    }
