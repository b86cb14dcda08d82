"""Benchmarks of multiple choice, over files in llm-foundry's and llama.cpp's layouts.

Commonsense: PIQA, HellaSwag, WinoGrande, Winograd, COPA. Science and knowledge: ARC, MMLU, OpenBookQA,
TruthfulQA. In: rows. Out: documents with the fields that the harness's prompts read.
"""

from __future__ import annotations

import os
from typing import Any

from herd.evals.benchmarks.benchmark import (
    ACCURACY,
    CHOICE_OF_ROW,
    WITH_NORM,
    Benchmark,
    Splits,
    one_file,
)
from herd.evals.benchmarks.data_folder import DataFolder, Doc, Row
from herd.evals.benchmarks.mmlu import MMLU

LETTERS = "ABCDEFGHIJ"


def as_choice(row: Row) -> Doc:
    """Keep a row of llm-foundry: query, choices, gold."""
    query, listed, gold = row["query"], row["choices"], int(row["gold"])
    if not isinstance(query, str) or not isinstance(listed, list) or str(row["gold"]) != str(gold):
        raise ValueError("query is no text, choices are no list, or gold is no whole number")
    choices = [str(one) for one in listed]
    if not 0 <= gold < len(choices) or not all(choices):
        raise ValueError(f"gold is {gold} of {len(choices)} choices, or one is empty")
    return {"query": query, "choices": choices, "gold": gold}


def as_arc(row: Row) -> Doc:
    """Give a row the hub's layout of ARC."""
    kept = as_choice(row)
    labels = list(LETTERS[: len(kept["choices"])])
    return {
        "question": kept["query"].removeprefix("Question: ").strip(),
        "choices": {"text": kept["choices"], "label": labels},
        "answerKey": labels[kept["gold"]],
    }


def as_piqa(row: Row) -> Doc:
    """Give a row the hub's layout of PIQA."""
    kept = as_choice(row)
    goal = kept["query"].removeprefix("Question: ").strip()
    first, second = kept["choices"]
    return {"goal": goal, "sol1": first, "sol2": second, "label": kept["gold"]}


def as_winogrande(row: Row) -> Doc:
    """Give a row the hub's layout of WinoGrande: a sentence with a blank, two fillings."""
    first, second = (str(one) for one in row["context_options"])
    begun = os.path.commonprefix([first, second])
    begun = begun[: begun.rfind(" ") + 1]
    options = first[len(begun) :], second[len(begun) :]
    if not all(options) or int(row["gold"]) not in (0, 1):
        raise ValueError("the two options do not differ, or gold is neither 0 nor 1")
    return {
        "sentence": f"{begun}_ {row['continuation']}",
        "option1": options[0],
        "option2": options[1],
        "answer": str(int(row["gold"]) + 1),
    }


def as_boolq(row: Row) -> Doc:
    """Give a row the hub's layout of BoolQ."""
    kept = as_choice(row)
    passage, question = kept["query"].rsplit("\nQuestion: ", 1)
    question = question.removesuffix("\nAnswer:").removesuffix("?")
    return {
        "passage": passage.removeprefix("Passage: "),
        "question": question,
        "label": kept["gold"],
    }


def as_truthful(row: Row) -> Doc:
    """Give a row of the CSV the hub's layout of TruthfulQA's multiple choice."""
    right = [one.strip() for one in row["Correct Answers"].split(";") if one.strip()]
    wrong = [one.strip() for one in row["Incorrect Answers"].split(";") if one.strip()]
    best = row["Best Answer"].strip()
    if not (best and right and wrong):
        raise ValueError("no right or no wrong answers")
    return {
        "question": row["Question"].strip(),
        "mc1_targets": {"choices": [best, *wrong], "labels": [1] + [0] * len(wrong)},
        "mc2_targets": {
            "choices": right + wrong,
            "labels": [1] * len(right) + [0] * len(wrong),
        },
    }


def read_hellaswag(data: DataFolder) -> Splits:
    """Read llama.cpp's six lines an item; the harness's prompt begins the last fragment in capitals."""
    lines = data.lines("hellaswag_val_full.txt.bz2")
    items = [lines[i : i + 6] for i in range(0, len(lines) - 5, 6)]
    docs = []
    for number, (context, gold, *endings) in enumerate(items, 1):
        if gold not in ("0", "1", "2", "3") or not all(endings):
            data.malformed.append(f"hellaswag_val_full.txt.bz2, item {number}: no gold or ending")
            continue
        docs.append({"query": _capitalised(context), "choices": endings, "label": int(gold)})
    return {"test": docs}


def _capitalised(context: str) -> str:
    """`... on a roof. he` was `ctx_a` and `ctx_b`, of which the harness capitalises the second."""
    whole, mark, fragment = context.rpartition(". ")
    if not mark or not fragment or not fragment[0].islower() or fragment.endswith((".", "!", "?")):
        return context
    return f"{whole}. {fragment.capitalize()}"


def row_choice(name: str, file: str, **settings: Any) -> Benchmark:
    """Return a benchmark whose rows hold the whole prompt already."""
    overrides = {**CHOICE_OF_ROW, "metric_list": list(WITH_NORM)}
    read = one_file(file, as_choice)
    return Benchmark(name=name, read=read, metric="acc", overrides=overrides, **settings)


MULTIPLE_CHOICE: tuple[Benchmark, ...] = (
    Benchmark(
        name="arc_easy",
        prompts="arc/arc_easy.yaml",
        read=one_file("arc_easy.jsonl.gz", as_arc),
        metric="acc_norm",
        chance=0.25,
        about="grade-school science, the easy part (test split)",
    ),
    Benchmark(
        name="piqa",
        prompts="piqa/piqa.yaml",
        read=one_file("piqa.jsonl.gz", as_piqa),
        metric="acc_norm",
        chance=0.5,
        about="how things are done in the physical world",
    ),
    Benchmark(
        name="hellaswag",
        prompts="hellaswag/hellaswag.yaml",
        read=read_hellaswag,
        metric="acc_norm",
        overrides={"process_docs": None},
        chance=0.25,
        about="which ending follows (validation split)",
    ),
    Benchmark(
        name="winogrande",
        prompts="winogrande/default.yaml",
        read=one_file("winogrande.jsonl.gz", as_winogrande),
        metric="acc",
        chance=0.5,
        about="whom a pronoun means, by the likelihood of what follows",
    ),
    Benchmark(
        name="winograd",
        prompts="winogrande/default.yaml",
        read=one_file("winograd_wsc.jsonl.gz", as_winogrande),
        metric="acc",
        chance=0.5,
        about="Winograd's schemas, put as WinoGrande",
    ),
    Benchmark(
        name="boolq",
        prompts="super_glue/boolq/default.yaml",
        read=one_file("boolq.jsonl.gz", as_boolq),
        metric="acc",
        overrides={"metric_list": list(ACCURACY)},
        cluster="passage",
        chance=0.5,
        about="yes or no, after a passage",
    ),
    Benchmark(
        name="truthfulqa_mc1",
        prompts="truthfulqa/truthfulqa_mc1.yaml",
        read=one_file("TruthfulQA.csv.gz", as_truthful),
        metric="acc",
        about="the true answer among common falsehoods",
    ),
    Benchmark(
        name="truthfulqa_mc2",
        prompts="truthfulqa/truthfulqa_mc2.yaml",
        read=one_file("TruthfulQA.csv.gz", as_truthful),
        metric="acc",
        about="the probability that goes to true answers",
    ),
    row_choice("commonsense_qa", "commonsense_qa.jsonl.gz", shots=7, chance=0.25,
               about="commonsense, by the letter; the file has four of the original's five answers"),
    row_choice("siqa", "siqa.jsonl.gz", chance=0.5, about="what people feel and do, by the letter; the file has two of the original's three answers"),
    row_choice("copa", "copa.jsonl.gz", chance=0.5, about="cause or effect"),
    row_choice("strategy_qa", "bigbench_strategy_qa.jsonl.gz", chance=0.5,
               about="yes or no, over several steps"),
    row_choice("agieval_lsat_ar", "agi_eval_lsat_ar.jsonl.gz", shots=3, chance=0.25, group="agieval_en",
               about="law school admission: analytical reasoning; four of the original's five answers"),
    row_choice("agieval_lsat_rc", "agi_eval_lsat_rc.jsonl.gz", shots=3, chance=0.25, group="agieval_en",
               about="law school admission: reading; four of the original's five answers"),
    row_choice("agieval_sat_en", "agi_eval_sat_en.jsonl.gz", shots=3, chance=0.25, group="agieval_en",
               about="college admission: English"),
    row_choice("winogender_female", "winogender_mc_female.jsonl.gz", chance=0.5, group="winogender",
               about="pronouns and occupations: she"),
    row_choice("winogender_male", "winogender_mc_male.jsonl.gz", chance=0.5, group="winogender",
               about="pronouns and occupations: he"),
    *MMLU,
)  # fmt: skip
