"""One task of lm-evaluation-harness on one model, quietly.

In: the harness's task and model. Out: its samples, one a question and filter. Never: its progress bars and
warnings on the user's terminal; a score computed from other than its own code.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from herd.evals.answer_cache import AnswerCache
from herd.evals.evaluated_model import EvaluatedModel

if TYPE_CHECKING:
    from lm_eval.api.model import LM
    from lm_eval.api.task import Task

FEWSHOT_SEED = 1234  # the harness's own


def harness_samples(
    task: Task,
    model: LM,
    *,
    limit: int | None = None,
    seed: int = FEWSHOT_SEED,
    chat: bool = False,
    repeats: int | None = None,
) -> list[dict[str, Any]]:
    """Run a task and return the harness's samples.

    `limit` takes the first questions only; `seed` draws the few-shot examples; `chat` renders prompts
    as dialogs, examples as earlier turns.
    """
    from lm_eval.evaluator import evaluate

    if repeats is not None:
        task.set_config(key="repeats", value=repeats)
    task.set_fewshot_seed(seed=seed)
    with quiet_harness():
        results = evaluate(
            lm=model,
            task_dict={"tasks": {task.task_name: task}, "groups": {}, "group_map": {}},
            limit=limit,
            bootstrap_iters=0,
            apply_chat_template=chat,
            fewshot_as_multiturn=chat,
            confirm_run_unsafe_code=True,
        )
    samples: list[dict[str, Any]] = results["samples"][task.task_name]
    return samples


def harness_model(model: EvaluatedModel, *, seed: int = 0) -> LM:
    """Return the model as lm-evaluation-harness sees it, for its own functions; nothing is kept."""
    from herd.evals.harness_model import HarnessModel

    return HarnessModel(model, AnswerCache(None), seed=seed)


@contextlib.contextmanager
def quiet_harness() -> Iterator[None]:
    """Let only errors of the harness and its libraries through, and none of their progress bars."""
    import datasets
    import lm_eval.api.task as harness_task

    loggers = [
        logging.getLogger(name)
        for name in ("lm_eval", "datasets", "huggingface_hub", "math_verify")
    ]
    levels = [one.level for one in loggers]
    bars_shown, bar = datasets.are_progress_bars_disabled(), harness_task.tqdm
    for one in loggers:
        one.setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    harness_task.tqdm = lambda rows, **_: rows
    try:
        yield
    finally:
        harness_task.tqdm = bar
        if not bars_shown:
            datasets.enable_progress_bars()
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
