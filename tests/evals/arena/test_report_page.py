"""The report's page and table: everything is there, escaped, with the names un-blinded."""

import io
from html.parser import HTMLParser

import pytest
from rich.console import Console

from herd.evals.arena import (
    Rating,
    Verdict,
    arena_report,
    file_side,
    open_arena,
    show_arena,
    write_report_page,
)
from herd.foundation import MetricsLog

PAYLOAD = "</script><img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """The names of the tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)

    def handle_data(self, data) -> None:
        self.text += data


@pytest.fixture
def arena(tmp_path, write):
    good = [
        {"id": PAYLOAD + str(i), "prompt": PAYLOAD, "answer": PAYLOAD, "category": PAYLOAD}
        for i in range(3)
    ]
    bad = [{"id": PAYLOAD + str(i), "answer": "y" * 120_000} for i in range(3)]
    paths = write("one.jsonl", good), write("two.jsonl", bad)
    names = f"<b>one</b>{PAYLOAD}", "two"
    sides = tuple(file_side(name, path) for name, path in zip(names, paths, strict=True))
    opened = open_arena(tmp_path / "out", sides)
    with MetricsLog(opened.ratings_path) as log:
        for duel, value in zip(opened.duels, (1, 4, None), strict=True):
            log.write(Rating(duel.item_id, PAYLOAD, value).to_record())
    with MetricsLog(opened.verdicts_path) as log:
        for swapped in (False, True):
            for duel, rating in zip(opened.duels, (2, None, 6), strict=True):
                said = Verdict(duel.item_id, PAYLOAD, swapped, f"why {PAYLOAD}", rating)
                log.write(said.to_record())
    return opened


@pytest.fixture
def report(arena):
    return arena_report(arena.duels, arena.ratings(), arena.verdicts(), names=arena.names)


def test_every_duel_is_there_whole_with_names_ratings_and_reasons(arena, report) -> None:
    page = Reader(write_report_page(arena, report).read_text())
    assert page.text.count("y" * 120_000) == 3
    assert f"<b>one</b>{PAYLOAD} against two" in page.text
    winner = arena.names[arena.duels[0].left]
    assert f"{PAYLOAD}: {winner} much better" in page.text
    assert f"{PAYLOAD}: passed over" in page.text and "no readable rating" in page.text
    assert f"why {PAYLOAD}" in page.text


def test_nothing_untrusted_becomes_markup(arena, report) -> None:
    page = Reader(write_report_page(arena, report).read_text())
    assert page.tags.count("script") == 1 and "img" not in page.tags
    assert page.tags.count("details") > 3


def test_the_table_says_what_the_report_says_whatever_the_names_are(arena, report) -> None:
    console = Console(file=io.StringIO(), width=200)
    show_arena(report, console)
    shown = console.file.getvalue()
    assert "1 person: 2 ratings of 2 prompts" in shown
    assert "2 of 6 answers hold no readable RATING line" in shown
    assert "1 passed over" in shown and "2 of 3 prompts rated by people" in shown


def test_a_comparison_without_ratings_has_a_page(arena) -> None:
    arena.ratings_path.unlink()
    arena.verdicts_path.unlink()
    page = write_report_page(arena, arena_report(arena.duels, [], names=arena.names)).read_text()
    assert "Nobody has rated yet." in page and page.count('data-outcome="unrated"') == 3
