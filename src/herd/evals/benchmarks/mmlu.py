"""MMLU: 57 subjects, five examples each, answered by the letter.

In: Hendrycks's zip of CSV files. Out: a task for each subject, in the group `mmlu`, whose score is the
mean over subjects (Llama 3: macro average). Never: examples of another subject.
"""

from __future__ import annotations

from functools import partial

from herd.evals.benchmarks.benchmark import Benchmark, Splits
from herd.evals.benchmarks.data_folder import DataFolder, Doc, Row

ARCHIVE = "mmlu.zip"
SUBJECTS = [
    "abstract_algebra",
    "anatomy",
    "astronomy",
    "business_ethics",
    "clinical_knowledge",
    "college_biology",
    "college_chemistry",
    "college_computer_science",
    "college_mathematics",
    "college_medicine",
    "college_physics",
    "computer_security",
    "conceptual_physics",
    "econometrics",
    "electrical_engineering",
    "elementary_mathematics",
    "formal_logic",
    "global_facts",
    "high_school_biology",
    "high_school_chemistry",
    "high_school_computer_science",
    "high_school_european_history",
    "high_school_geography",
    "high_school_government_and_politics",
    "high_school_macroeconomics",
    "high_school_mathematics",
    "high_school_microeconomics",
    "high_school_physics",
    "high_school_psychology",
    "high_school_statistics",
    "high_school_us_history",
    "high_school_world_history",
    "human_aging",
    "human_sexuality",
    "international_law",
    "jurisprudence",
    "logical_fallacies",
    "machine_learning",
    "management",
    "marketing",
    "medical_genetics",
    "miscellaneous",
    "moral_disputes",
    "moral_scenarios",
    "nutrition",
    "philosophy",
    "prehistory",
    "professional_accounting",
    "professional_law",
    "professional_medicine",
    "professional_psychology",
    "public_relations",
    "security_studies",
    "sociology",
    "us_foreign_policy",
    "virology",
    "world_religions",
]


def as_question(row: Row) -> Doc:
    """Give a row of a CSV the hub's layout."""
    question, *choices, answer = (row[str(i)] for i in range(6))
    if answer not in tuple("ABCD"):
        raise ValueError(f"the answer is {answer!r}, not A to D")
    return {"question": question, "choices": choices, "answer": "ABCD".index(answer)}


def read_subject(subject: str, data: DataFolder) -> Splits:
    """Read the questions and the five examples of a subject."""
    return {
        "test": data.member_docs(ARCHIVE, f"test/{subject}_test.csv", as_question),
        "train": data.member_docs(ARCHIVE, f"dev/{subject}_dev.csv", as_question),
    }


MMLU = tuple(
    Benchmark(
        name=f"mmlu_{subject}",
        prompts=f"mmlu/default/mmlu_{subject}.yaml",
        read=partial(read_subject, subject),
        metric="acc",
        overrides={"fewshot_config": {"sampler": "first_n"}},
        shots=5,
        group="mmlu",
        chance=0.25,
        about=subject.replace("_", " "),
    )
    for subject in SUBJECTS
)
