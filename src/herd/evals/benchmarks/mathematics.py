"""Benchmarks of mathematics: a worked answer is written, and its last number or formula counts.

GSM8K, MATH, SVAMP, AQuA, SAT, olympiads. In: rows. Out: documents with a problem and its answer.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from herd.evals.answers.mathematics import same_answer
from herd.evals.benchmarks.benchmark import Benchmark, Splits, one_file
from herd.evals.benchmarks.data_folder import DataFolder, Doc, Row
from herd.evals.benchmarks.harness_files import returned_literal

MINERVA = "minerva_math/utils.py"
VERIFIED = ({"metric": "math_verify", "aggregation": "mean", "higher_is_better": True},)


def as_gsm8k(row: Row) -> Doc:
    """Keep a question and its worked answer, which ends in `#### 18`."""
    question, answer = str(row["question"]), str(row["answer"])
    if "####" not in answer:
        raise ValueError("the answer has no line that begins with ####")
    return {"question": question, "answer": answer}


def read_gsm8k(data: DataFolder) -> Splits:
    """Read test and training questions."""
    return {
        "test": data.docs("gsm8k_test.jsonl.gz", as_gsm8k),
        "train": data.docs("gsm8k_train.jsonl.gz", as_gsm8k),
    }


def read_problems(file: str, problem: str, answer: str, solution: str, data: DataFolder) -> Splits:
    """Read problems, answers and (if `solution` names a field) how they are found."""

    def convert(row: Row) -> Doc:
        doc = {"problem": str(row[problem]).strip(), "answer": str(row[answer]).strip()}
        if not all(doc.values()):
            raise ValueError("an empty problem or answer")
        return doc | {"solution": str(row[solution]) if solution else doc["answer"]}

    return {"test": data.docs(file, convert)}


def check_worked_answer(doc: Doc, results: list[str]) -> dict[str, float]:
    """Score a written solution by what math-verify finds in it."""
    return {"math_verify": float(same_answer(results[0], doc["answer"]))}


def minerva(name: str, read: Any, **settings: Any) -> Benchmark:
    """Return a benchmark with Minerva's prompt and, with shots, its four examples."""
    overrides = {
        "doc_to_text": "Problem:\n{{problem}}\n\nSolution:",
        "process_docs": None,
        "process_results": check_worked_answer,
        "metric_list": list(VERIFIED),
        "fewshot_config": {
            "sampler": "first_n",
            "samples": partial(returned_literal, MINERVA, "list_fewshot_samples"),
        },
        "generation_kwargs": {
            "until": ["Problem:"],
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": 512,
        },
    }
    return Benchmark(
        name=name,
        read=read,
        metric="math_verify",
        prompts="minerva_math/minerva_math_algebra.yaml",
        runs_harness_code=False,
        overrides=overrides,
        **settings,
    )


def _problems(file: str, problem: str, answer: str, solution: str = "") -> Any:
    return partial(read_problems, file, problem, answer, solution)


MATHEMATICS: tuple[Benchmark, ...] = (
    Benchmark(
        name="gsm8k",
        prompts="gsm8k/gsm8k.yaml",
        read=read_gsm8k,
        metric="exact_match",
        filter="flexible-extract",
        shots=5,
        about="grade-school word problems, five examples from the training set",
    ),
    Benchmark(
        name="gsm8k_cot",
        prompts="gsm8k/gsm8k-cot.yaml",
        read=one_file("gsm8k_test.jsonl.gz", as_gsm8k),
        metric="exact_match",
        filter="flexible-extract",
        shots=8,
        about="grade-school word problems, eight worked examples (Llama 3: 8, CoT)",
    ),
    minerva("math", _problems("math_test5000.jsonl.gz", "context", "answer", "chain_of_thought"),
            shots=4, about="competition mathematics (Llama 3: 4)"),
    minerva("svamp", _problems("svamp.jsonl.gz", "context", "answer"), shots=4,
            about="simple word problems"),
    minerva("aqua", _problems("aqua.jsonl.gz", "context", "answer"), shots=4,
            about="algebraic word problems"),
    minerva("agieval_sat_math", _problems("agi_eval_sat_math.jsonl.gz", "context", "answer"),
            shots=4, group="agieval_en", about="college admission: mathematics"),
    minerva("amc23", _problems("math/amc23.jsonl.gz", "problem", "answer"), shots=4,
            about="the American contest of 2023"),
    minerva("college_math", _problems("math/college_math.jsonl.gz", "question", "answer"), shots=4,
            about="college textbooks"),
)  # fmt: skip
