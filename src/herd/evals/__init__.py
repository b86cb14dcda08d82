"""What a model can do, as numbers with intervals that anyone can make again.

In: a model's `scores` and `continuations`, benchmarks' files. Out: reports, comparisons, pages.
Never: the engine; it is handed in.
"""

from herd.evals.answers.programs import Program, ProgramVerdict, RunPrograms
from herd.evals.arena import (
    ArenaDirectory,
    Duel,
    Judge,
    JudgeServer,
    Rating,
    Side,
    Verdict,
    answer_dialogs,
    arena_report,
    file_side,
    import_ratings,
    is_answer_file,
    judge_duels,
    model_side,
    open_arena,
    rate_at_terminal,
    read_arena,
    read_key,
    show_arena,
    side_names,
    write_rating_page,
    write_report_page,
)
from herd.evals.benchmarks.benchmark import Benchmark, first_file
from herd.evals.benchmarks.catalogue import BENCHMARKS, SUITES, Chosen, choose, is_known
from herd.evals.benchmarks.plain_text import (
    held_out_benchmark,
    read_whole_text,
    text_benchmark,
)
from herd.evals.compare import compare_runs, comparison_json, show_comparison
from herd.evals.compare_page import comparison_page
from herd.evals.contaminated import contaminated_scores, show_contaminated
from herd.evals.evaluate import Prepared, evaluate, prepare
from herd.evals.evaluated_model import Continuation, EvaluatedModel, ToContinue, ToScore
from herd.evals.groups import group_rows
from herd.evals.harness_run import harness_model, harness_samples
from herd.evals.intervals import Interval, bootstrap_ratio, mean_interval, paired_difference
from herd.evals.items import items_of
from herd.evals.long_context.needle_test import NeedleConfig, needle_test
from herd.evals.long_context.page import long_context_page, show_needles
from herd.evals.long_context.reading_curve import reading_curve
from herd.evals.page import evaluation_section
from herd.evals.report import EvalReport, Measure
from herd.evals.results import Results
from herd.evals.robustness.page import robustness_page, show_robustness
from herd.evals.robustness.question import questions_of
from herd.evals.robustness.study import robustness_study
from herd.evals.run_task import EvalSettings
from herd.evals.table import show_reports

__all__ = [
    "ArenaDirectory",
    "BENCHMARKS",
    "Benchmark",
    "Chosen",
    "Continuation",
    "Duel",
    "EvalReport",
    "EvalSettings",
    "EvaluatedModel",
    "Interval",
    "Judge",
    "JudgeServer",
    "Measure",
    "NeedleConfig",
    "Prepared",
    "Program",
    "ProgramVerdict",
    "Rating",
    "Results",
    "RunPrograms",
    "SUITES",
    "Side",
    "ToContinue",
    "ToScore",
    "Verdict",
    "answer_dialogs",
    "arena_report",
    "bootstrap_ratio",
    "choose",
    "compare_runs",
    "comparison_json",
    "comparison_page",
    "contaminated_scores",
    "evaluate",
    "evaluation_section",
    "file_side",
    "first_file",
    "group_rows",
    "harness_model",
    "harness_samples",
    "held_out_benchmark",
    "import_ratings",
    "is_answer_file",
    "is_known",
    "items_of",
    "judge_duels",
    "long_context_page",
    "mean_interval",
    "model_side",
    "needle_test",
    "open_arena",
    "paired_difference",
    "prepare",
    "questions_of",
    "rate_at_terminal",
    "read_arena",
    "read_key",
    "read_whole_text",
    "reading_curve",
    "robustness_page",
    "robustness_study",
    "show_arena",
    "show_comparison",
    "show_contaminated",
    "show_needles",
    "show_reports",
    "show_robustness",
    "side_names",
    "text_benchmark",
    "write_rating_page",
    "write_report_page",
]
