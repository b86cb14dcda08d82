"""The task files of the installed lm-evaluation-harness: prompts, filters, metrics, exemplars.

In: a path below its `tasks`. Out: the settings that stand there; a list that a helper of it returns.
Never: the hub; nothing is downloaded.
"""

from __future__ import annotations

import ast
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from herd.foundation import UserError, missing_library


def harness_tasks() -> Path:
    """Return where the harness keeps its tasks. Raises UserError when it is not installed."""
    spec = find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise missing_library("evaluation", "lm-evaluation-harness", "evals")
    return Path(spec.origin).parent / "tasks"


def harness_config(path: str, *, functions: bool = True) -> dict[str, Any]:
    """Return what a task file says, what it includes merged in; its helpers' functions if wanted.

    Raises UserError if it is not there.
    """
    from lm_eval.tasks._yaml_loader import load_yaml

    whole = harness_tasks() / path
    if not whole.exists():
        raise UserError(
            f"the installed lm-evaluation-harness has no {path}: install the version that "
            "pyproject.toml names"
        )
    return deepcopy(load_yaml(whole, resolve_func=functions))


def returned_literal(path: str, function: str) -> Any:
    """Return the literal that a function of a helper file returns, without running the file.

    For few-shot examples that stand beside code whose imports want other libraries. Raises UserError
    when the function is not there or returns something else.
    """
    tree = ast.parse((harness_tasks() / path).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            for statement in node.body:
                if isinstance(statement, ast.Return) and statement.value is not None:
                    return ast.literal_eval(statement.value)
    raise UserError(f"the installed lm-evaluation-harness has no {function} in {path}")
