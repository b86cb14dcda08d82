"""Benchmarks of reading and recall: a word or a short answer is written or foretold.

LAMBADA, TriviaQA, Jeopardy, XQuAD, BIG-bench's operators and brackets. In: rows. Out: documents.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from herd.evals.answers.short_answer import exact_match, word_f1
from herd.evals.benchmarks.benchmark import ACCURACY, Benchmark, Splits, one_file
from herd.evals.benchmarks.data_folder import DataFolder, Doc, Row

XQUAD = {"en": "English", "de": "German", "es": "Spanish", "hi": "Hindi", "th": "Thai"}
MATCHES = tuple(
    {"metric": name, "aggregation": "mean", "higher_is_better": True}
    for name in ("exact_match", "f1")
)
LIKELIHOOD_OF_ROW = {
    "output_type": "loglikelihood",
    "doc_to_text": "{{context}}",
    "doc_to_target": "{{continuation}}",
    "metric_list": list(ACCURACY),
}


def as_lambada(row: Row) -> Doc:
    """Give a row the hub's layout: one text, whose last word is asked for."""
    context, last = str(row["context"]), str(row["continuation"]).strip()
    if not last or " " in last:
        raise ValueError("the last word is empty or more than one")
    return {"text": f"{context} {last}"}


def as_trivia(row: Row) -> Doc:
    """Give a row the hub's layout of TriviaQA."""
    question = str(row["context"]).removeprefix("Question: ").removesuffix("\nAnswer:")
    answer = str(row["answer"])
    # The first is what an example shows.
    aliases = [answer, *(str(one) for one in row["aliases"] if str(one) != answer)]
    return {"question": question.removesuffix("?"), "answer": {"aliases": aliases}}


def as_continuation(row: Row) -> Doc:
    """Keep a row of llm-foundry: a context and what follows."""
    context, continuation = str(row["context"]).rstrip(), str(row["continuation"]).strip()
    if not continuation:
        raise ValueError("nothing follows the context")
    return {"context": context, "continuation": continuation}


def as_asked_continuation(row: Row) -> Doc:
    """Do as `as_continuation`, with the question put as one."""
    doc = as_continuation(row)
    return doc | {"context": doc["context"] + "\nAnswer:"}


def read_xquad(language: str, data: DataFolder) -> Splits:
    """Read the questions of one language, each with its paragraph."""
    paragraphs = data.docs("xquad5.jsonl.gz", dict)
    docs: list[Doc] = []
    for one in paragraphs:
        if one["lang"] == language:
            for question in one["qas"]:
                docs.append(
                    {
                        "context": one["context"],
                        "question": question["question"],
                        "answers": {"text": [question["answer"]]},
                        "passage": f"{one['title']} {one['p']}",
                    }
                )
    return {"test": docs}


def check_short_answer(doc: Doc, results: list[str]) -> dict[str, float]:
    """Score an answer by SQuAD's exact match and F1."""
    references = doc["answers"]["text"]
    return {
        "exact_match": exact_match(results[0], references),
        "f1": word_f1(results[0], references),
    }


def likelihood(name: str, file: str, convert: Any, about: str, **settings: Any) -> Benchmark:
    """Return a benchmark in which the right continuation has to be the likeliest, token by token."""
    return Benchmark(
        name=name,
        read=one_file(file, convert),
        metric="acc",
        overrides=LIKELIHOOD_OF_ROW,
        about=about,
        **settings,
    )


READING: tuple[Benchmark, ...] = (
    Benchmark(
        name="lambada",
        prompts="lambada/lambada_openai.yaml",
        read=one_file("lambada_openai.jsonl.gz", as_lambada),
        metric="acc",
        about="the last word of a passage",
    ),
    Benchmark(
        name="triviaqa",
        prompts="triviaqa/default.yaml",
        read=one_file("triviaqa_sm_sub.jsonl.gz", as_trivia),
        metric="exact_match",
        filter="remove_whitespace",
        overrides={
            "generation_kwargs": {
                "until": ["\n", ".", ","],
                "do_sample": False,
                "temperature": 0.0,
                "max_gen_toks": 24,
            }
        },
        shots=5,
        about="questions of fact (Llama 3: 5, at most 24 tokens)",
    ),
    likelihood("jeopardy", "jeopardy_all.jsonl.gz", as_asked_continuation,
               "questions of fact, by likelihood", shots=3),
    likelihood("bigbench_operators", "bigbench_operators.jsonl.gz", as_continuation,
               "operators defined in the prompt", shots=3),
    likelihood("bigbench_dyck", "bigbench_dyck_languages.jsonl.gz", as_continuation,
               "brackets to close", shots=3),
    *(
        Benchmark(
            name=f"xquad_{language}",
            prompts=f"xquad/xquad_{language}.yaml",
            runs_harness_code=False,
            read=partial(read_xquad, language),
            metric="f1",
            overrides={
                "process_results": check_short_answer,
                "metric_list": list(MATCHES),
                "generation_kwargs": {
                    "until": ["\n"],
                    "do_sample": False,
                    "temperature": 0.0,
                    "max_gen_toks": 32,
                },
            },
            cluster="passage",
            group="xquad",
            about=f"answers out of a passage: {name}",
        )
        for language, name in XQUAD.items()
    ),
)  # fmt: skip
