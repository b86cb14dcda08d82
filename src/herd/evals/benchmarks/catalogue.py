"""All benchmarks, and the suites: which of them, with how many shots, of how many questions.

`pretrain` follows the table of base models of the Llama 3 paper (section 5.1), `posttrain` that of
instruct models (5.2), as far as the data is in public files; `smoke` is a first look within minutes.
In: names. Out: what is to be run. Never: a name passed over because it is not known.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from herd.evals.benchmarks.benchmark import Benchmark, group_of
from herd.evals.benchmarks.code import CODE
from herd.evals.benchmarks.instructions import INSTRUCTIONS
from herd.evals.benchmarks.mathematics import MATHEMATICS
from herd.evals.benchmarks.multilingual import MULTILINGUAL
from herd.evals.benchmarks.multiple_choice import MULTIPLE_CHOICE
from herd.evals.benchmarks.probes import PROBES
from herd.evals.benchmarks.reading import READING
from herd.foundation import UserError

BENCHMARKS: tuple[Benchmark, ...] = (
    *PROBES,
    *MULTIPLE_CHOICE,
    *READING,
    *MATHEMATICS,
    *CODE,
    *INSTRUCTIONS,
    *MULTILINGUAL,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A benchmark to run, with the shots and the number of questions asked for (None: its own, all)."""

    benchmark: Benchmark
    limit: int | None = None
    optional: bool = False


SUITES: dict[str, tuple[tuple[str, int | None, int | None], ...]] = {  # task, shots, limit
    "smoke": (
        ("probes", None, None),
        ("arc_easy", None, 100),
        ("piqa", None, 100),
        ("hellaswag", None, 50),
        ("winogrande", None, 100),
        ("lambada", None, 50),
        ("gsm8k_cot", None, 5),
        ("ifeval", None, 5),
    ),
    "pretrain": (
        ("mmlu", 5, None),
        ("agieval_en", 3, None),
        ("arc_easy", None, None),
        ("commonsense_qa", 7, None),
        ("winogrande", 5, None),
        ("piqa", 0, None),
        ("siqa", 0, None),
        ("hellaswag", 0, None),
        ("boolq", 0, None),
        ("triviaqa", 5, None),
        ("lambada", 0, None),
        ("gsm8k_cot", 8, None),
        ("math", 4, None),
        ("humaneval", 0, None),
        ("mbpp", 3, None),
    ),
    "posttrain": (
        ("mmlu", 5, None),
        ("ifeval", 0, None),
        ("humaneval", 0, None),
        ("mbpp", 3, None),
        ("gsm8k_cot", 8, None),
        ("math", 0, None),
        ("arc_easy", 0, None),
        ("mgsm", 0, None),
        ("xquad", 0, None),
        ("truthfulqa_mc2", 0, None),
    ),
}


def choose(
    names: Sequence[str], *, shots: int | None = None, limit: int | None = None
) -> list[Chosen]:
    """Return what names of benchmarks, groups and suites stand for, in order, each once.

    `shots` and `limit` go before those of a suite. Raises UserError for a name that is not known and for
    shots that are not 0 to 64.
    """
    if shots is not None and not 0 <= shots <= 64:
        raise UserError(f"--shots is {shots}; give 0 to 64")
    if limit is not None and limit < 1:
        raise UserError(f"--limit is {limit}; give 1 or more questions")
    found: dict[str, Chosen] = {}
    for name in names:
        for entry, its_shots, its_limit in SUITES.get(name, ((name, None, None),)):
            for benchmark in _known(entry):
                wanted = its_shots if shots is None else shots
                one = benchmark if wanted is None else replace(benchmark, shots=wanted)
                chosen = Chosen(benchmark=one, limit=limit or its_limit, optional=name in SUITES)
                if name in SUITES:
                    found.setdefault(benchmark.name, chosen)
                else:  # what is asked for by its own name goes before a suite's idea of it
                    found[benchmark.name] = chosen
    return list(found.values())


def _known(name: str) -> list[Benchmark]:
    found = group_of(name, BENCHMARKS)
    if found:
        return found
    known = sorted(
        {*SUITES, *(one.name for one in BENCHMARKS), *(one.group for one in BENCHMARKS)} - {""}
    )
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UserError(f"there is no task {name!r}; {hint}herd eval --list names them")


def is_known(name: str) -> bool:
    """Return whether this names a benchmark, a group or a suite."""
    return name in SUITES or bool(group_of(name, BENCHMARKS))
