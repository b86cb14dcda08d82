"""Rating at a terminal: what is typed is kept at once, and nothing shown can do harm."""

import io

import pytest
from rich.console import Console

from herd.evals.arena import Duel, Rating, rate_at_terminal
from herd.evals.arena.append_log import read_log
from herd.evals.arena.rating import latest_ratings, rating_of


def session(duels, path, typed, *, width=120, rater="ann"):
    """Return whether all is rated, and what was shown."""
    lines = iter(typed)

    def read() -> str:
        line = next(lines, None)
        if line is None:
            raise EOFError
        if line == "^C":
            raise KeyboardInterrupt
        return line

    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    done = rate_at_terminal(duels, path, rater, console, read)
    return done, console.file.getvalue()


def kept(path):
    return latest_ratings(read_log(path, rating_of))


def test_numbers_rate_s_passes_b_goes_back_and_enter_ends(duels, tmp_path) -> None:
    path = tmp_path / "ratings.jsonl"
    done, shown = session(duels[:3], path, ["1", "5", "b", "6", "s", ""])
    assert done and "You said 5." in shown and "All 3 had their turn" in shown
    assert kept(path) == [Rating("q0", "ann", 1), Rating("q1", "ann", 6), Rating("q2", "ann", None)]


def test_a_session_in_pieces_equals_one_without_interruption(duels, tmp_path) -> None:
    values = [str(1 + i % 7) for i in range(12)]
    whole, pieces = tmp_path / "whole.jsonl", tmp_path / "pieces.jsonl"
    session(duels, whole, [*values, ""])
    session(duels, pieces, [*values[:4], "q"])
    with pytest.raises(KeyboardInterrupt):
        session(duels, pieces, [*values[4:7], "^C"])
    with pieces.open("a") as file:
        file.write('{"item": "q7", "ra')  # killed while writing
    done, shown = session(duels, pieces, [*values[7:], ""])
    assert done and "8 of 12, 7 done" in shown
    assert pieces.read_bytes() == whole.read_bytes()


def test_two_raters_share_a_log(duels, tmp_path) -> None:
    path = tmp_path / "ratings.jsonl"
    session(duels[:2], path, ["1", "2", ""])
    assert session(duels[:2], path, ["7", "q"], rater="bob")[0] is False
    assert len(kept(path)) == 3


def test_each_rating_is_in_the_file_before_the_next_question(duels, tmp_path) -> None:
    path, seen = tmp_path / "ratings.jsonl", []

    def read() -> str:
        seen.append(path.read_bytes().count(b"\n"))
        return "4" if len(seen) < 4 else "q"

    rate_at_terminal(duels, path, "ann", Console(file=io.StringIO()), read)
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("typed", ["0", "8", "44", "x", "", "4.0"])
def test_what_is_no_command_shows_the_help_and_rates_nothing(duels, tmp_path, typed) -> None:
    path = tmp_path / "ratings.jsonl"
    done, shown = session(duels, path, [typed])
    assert not done and kept(path) == [] and shown.count("1 left much better") == 2


def test_answers_stand_side_by_side_on_a_wide_terminal_only(duels, tmp_path) -> None:
    for width, together in ((120, True), (60, False)):
        _, shown = session(duels, tmp_path / "r.jsonl", [], width=width)
        lines = [line for line in shown.splitlines() if "says 0" in line]
        assert (len(lines) == 1) == together
        left = next(line for line in shown.splitlines() if " says 0" in line)
        assert "second says 0" in left  # q0 has the second model on the left


def test_control_characters_and_markup_of_answers_do_nothing(tmp_path) -> None:
    evil = "\x1b[2J\x1b]0;title\x07 [bold]not bold[/bold] \u202eback \r over [/]"
    duel = Duel("q", ({"role": "user", "content": evil},), (evil, "fine"))
    _, shown = session([duel], tmp_path / "r.jsonl", [], width=200)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown)
    assert "[bold]not bold[/bold]" in shown


def test_a_long_answer_is_shortened_until_f_asks_for_all(tmp_path) -> None:
    duel = Duel("q", ({"role": "user", "content": "?"},), ("x" * 150_000, "short"))
    _, short = session([duel], tmp_path / "r.jsonl", [])
    assert "[144,000 more characters: f shows them]" in short and short.count("x") < 7_000
    _, whole = session([duel], tmp_path / "r.jsonl", ["f"])
    assert whole.count("x") > 150_000
