"""Instruction following (IFEval): answers checked by rule, strictly and loosely.

The harness's own checks of English and Spanish. They split sentences with NLTK's Punkt data, which is
fetched from a hub; without it Punkt runs with the abbreviations below, which changes the count of
sentences in few answers and is said in the report.
In: rows. Out: documents. Never: the network.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from herd.evals.benchmarks.benchmark import Benchmark, Splits
from herd.evals.benchmarks.data_folder import DataFolder, Doc, Row
from herd.foundation import cache_directory, missing_library

ABBREVIATIONS = [
    "mr",
    "mrs",
    "ms",
    "dr",
    "prof",
    "st",
    "jr",
    "sr",
    "vs",
    "etc",
    "e.g",
    "i.e",
    "inc",
    "ltd",
    "co",
    "corp",
    "no",
    "vol",
    "fig",
    "al",
    "approx",
    "dept",
    "est",
    "jan",
    "feb",
    "mar",
    "apr",
    "jun",
    "jul",
    "aug",
    "sept",
    "sep",
    "oct",
    "nov",
    "dec",
    "u.s",
    "u.k",
    "a.m",
    "p.m",
    "gen",
    "col",
    "sgt",
    "capt",
    "lt",
    "rev",
    "hon",
]
STAND_IN = "sentences were split with Herd's abbreviations: NLTK's punkt_tab is not installed"


def as_instructions(row: Row) -> Doc:
    """Give a row the hub's layout: identifiers without their language."""
    names = [str(one).split(":", 1)[-1] if str(one).count(":") > 1 else str(one)
             for one in row["instruction_id_list"]]  # fmt: skip
    settings = list(row["kwargs"])
    if len(names) != len(settings) or not names:
        raise ValueError("not one kwargs for each instruction")
    return {
        "key": int(row["key"]),
        "prompt": str(row["prompt"]),
        "instruction_id_list": names,
        "kwargs": [_as_json(one) for one in settings],
    }


def _as_json(settings: Any) -> str:
    return json.dumps(settings)


def read_ifeval(data: DataFolder) -> Splits:
    """Read the 541 prompts."""
    prepare_sentence_splitter()
    return {"test": data.docs("ifeval_en.jsonl.gz", as_instructions)}


def check_instructions(doc: Doc, results: list[str]) -> dict[str, Any]:
    """Score an answer with the harness's checks: by prompt, and each instruction."""
    from lm_eval.tasks.ifeval.utils import process_results

    whole = {**doc, "kwargs": [json.loads(one) for one in doc["kwargs"]]}
    found: dict[str, Any] = process_results(whole, results)
    return found


def share_followed(verdicts: list[list[bool]]) -> float:
    """Return the share of all instructions that were followed; answers have several each."""
    flat = [float(one) for own in verdicts for one in own]
    return sum(flat) / len(flat)


@cache
def prepare_sentence_splitter() -> str:
    """Let NLTK find Punkt's data; return "" where its own is installed, else what stands in."""
    try:
        import nltk
        from nltk.tokenize.punkt import PunktParameters, save_punkt_params
    except ImportError as error:
        raise missing_library("IFEval", "nltk", "evals") from error
    try:
        if str(_home()) not in str(nltk.data.find("tokenizers/punkt_tab")):
            return ""
    except LookupError:
        pass
    place = _home() / "tokenizers" / "punkt_tab" / "english"
    place.parent.mkdir(parents=True, exist_ok=True)
    if str(_home()) not in nltk.data.path:  # NLTK reads and writes nowhere else
        nltk.data.path.append(str(_home()))
    parameters = PunktParameters()
    parameters.abbrev_types = set(ABBREVIATIONS)
    save_punkt_params(parameters, dir=str(place))
    return STAND_IN


def _home() -> Path:
    return cache_directory() / "nltk"


INSTRUCTIONS: tuple[Benchmark, ...] = (
    Benchmark(
        name="ifeval",
        prompts="ifeval/ifeval.yaml",
        runs_harness_code=False,
        read=read_ifeval,
        metric="prompt_level_strict_acc",
        note=prepare_sentence_splitter,
        overrides={
            "process_results": check_instructions,
            "metric_list": [
                {"metric": name, "aggregation": aggregation, "higher_is_better": True}
                for name, aggregation in (
                    ("prompt_level_strict_acc", "mean"),
                    ("inst_level_strict_acc", share_followed),
                    ("prompt_level_loose_acc", "mean"),
                    ("inst_level_loose_acc", share_followed),
                )
            ],
        },
        about="instructions that a program can check, strictly and loosely",
    ),
)
