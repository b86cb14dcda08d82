"""Two models against each other: which answer is better, said by people or by judge models.

In: two files of answers, or functions that answer, and prompts. Out: ratings, verdicts, reports, pages.
Never: a model's name in front of whoever judges; the engine; it is handed in.
"""

from herd.evals.arena.directory import ArenaDirectory, open_arena, read_arena
from herd.evals.arena.duel import SCALE, Duel
from herd.evals.arena.judge import Judge, JudgeRefusalError, judge_duels, judge_messages
from herd.evals.arena.judge_server import JudgeServer, read_key
from herd.evals.arena.model_answers import answer_dialogs
from herd.evals.arena.pairing import (
    Side,
    file_side,
    is_answer_file,
    make_duels,
    model_side,
    side_names,
)
from herd.evals.arena.prompts import read_answers, read_prompts
from herd.evals.arena.rating import Rating
from herd.evals.arena.rating_page import Imported, import_ratings, write_rating_page
from herd.evals.arena.report import arena_report
from herd.evals.arena.report_page import write_report_page
from herd.evals.arena.report_table import show_arena
from herd.evals.arena.terminal import rate_at_terminal
from herd.evals.arena.verdict import Verdict

__all__ = [
    "ArenaDirectory",
    "Duel",
    "Imported",
    "Judge",
    "JudgeRefusalError",
    "JudgeServer",
    "Rating",
    "SCALE",
    "Side",
    "Verdict",
    "answer_dialogs",
    "arena_report",
    "file_side",
    "import_ratings",
    "is_answer_file",
    "judge_duels",
    "judge_messages",
    "make_duels",
    "model_side",
    "open_arena",
    "rate_at_terminal",
    "read_answers",
    "read_arena",
    "read_key",
    "read_prompts",
    "show_arena",
    "side_names",
    "write_rating_page",
    "write_report_page",
]
