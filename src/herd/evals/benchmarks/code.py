"""Benchmarks of programming: HumanEval and MBPP. Answers are run, in a sandbox, by whoever scores them.

In: rows. Out: documents, and for each answer the program and the tests that decide on it. Never: anything
run here.
"""

from __future__ import annotations

import re
from functools import partial

from herd.evals.benchmarks.benchmark import Benchmark, Splits, one_file
from herd.evals.benchmarks.data_folder import DataFolder, Doc, Row
from herd.evals.benchmarks.harness_files import returned_literal

FENCE = re.compile(r"```(?:[\w+-]*)\n(.*?)(?:```|\Z)", re.DOTALL)
FIRST_TEST_TASKS = range(11, 511)  # the paper of MBPP: tasks 11 to 510 are the test set
KEPT = ({"metric": "bypass", "aggregation": "mean", "higher_is_better": True},)


def as_humaneval(row: Row) -> Doc:
    """Keep a problem: the function's head, its name, the tests."""
    doc = {name: str(row[name]) for name in ("task_id", "prompt", "entry_point", "test")}
    if f"def {doc['entry_point']}" not in doc["prompt"]:
        raise ValueError("the prompt does not begin the function that is tested")
    return doc


def as_mbpp(row: Row) -> Doc:
    """Keep a problem: what is wanted, three tests."""
    tests = [str(one) for one in row["test_list"]]
    if len(tests) < 3:
        raise ValueError("fewer than three tests")
    return {
        "task_id": int(row["task_id"]),
        "text": str(row["text"]),
        "code": str(row["code"]),
        "test_list": tests,
        "test_setup_code": str(row.get("test_setup_code") or ""),
    }


def keep_for_later(doc: Doc, results: list[str]) -> dict[str, float]:
    """Score nothing: the programs are run together, once all are written."""
    return {"bypass": 0.0}


def read_mbpp(data: DataFolder) -> Splits:
    """Read the 500 test problems."""
    docs = data.docs("mbpp.jsonl.gz", as_mbpp)
    return {"test": [doc for doc in docs if doc["task_id"] in FIRST_TEST_TASKS]}


def program_of(benchmark: str, doc: Doc, answer: str) -> tuple[str, str]:
    """Return the program that an answer makes, and the tests that it has to pass."""
    if benchmark == "humaneval":
        return _whole_function(doc, answer), f"{doc['test']}\ncheck({doc['entry_point']})\n"
    code = _fenced(answer) or answer.split("[DONE]")[0]
    return code, "\n".join([doc["test_setup_code"], *doc["test_list"]]) + "\n"


def _whole_function(doc: Doc, answer: str) -> str:
    """A body that goes on from the prompt, or a fenced block that holds the function whole."""
    fenced = _fenced(answer)
    if fenced is not None:
        answer = fenced
    if f"def {doc['entry_point']}" in answer:
        return f"{_imports(doc['prompt'])}\n{answer}\n"
    return f"{doc['prompt']}{answer}\n"


def _imports(prompt: str) -> str:
    return "\n".join(line for line in prompt.splitlines() if line.startswith(("import ", "from ")))


def _fenced(answer: str) -> str | None:
    found = FENCE.search(answer)
    return found.group(1) if found else None


CODE: tuple[Benchmark, ...] = (
    Benchmark(
        name="humaneval",
        prompts="humaneval/humaneval.yaml",
        runs_harness_code=False,
        read=one_file("HumanEval.jsonl.gz", as_humaneval),
        metric="pass@1",
        overrides={
            "process_results": keep_for_later,
            "metric_list": list(KEPT),
            "filter_list": None,
            "unsafe_code": False,
        },
        code=True,
        about="functions from their docstrings (Llama 3: no examples, 1,024 tokens)",
    ),
    Benchmark(
        name="mbpp",
        prompts="mbpp/mbpp.yaml",
        runs_harness_code=False,
        read=read_mbpp,
        metric="pass@1",
        overrides={
            "process_results": keep_for_later,
            "metric_list": list(KEPT),
            "unsafe_code": False,
            "fewshot_config": {
                "sampler": "first_n",
                "samples": partial(returned_literal, "mbpp/utils.py", "list_fewshot_samples"),
            },
        },
        shots=3,
        code=True,
        about="small programs from a sentence and their tests (Llama 3: 3, 256 tokens)",
    ),
)
