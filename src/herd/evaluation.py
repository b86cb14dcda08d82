"""The Python front door of evaluation: a language model's engine, lent to the evaluations.

In: a `LanguageModel`, what is to be run. Out: results whose scores and continuations come from its
engine, whose programs ran in the sandbox. Never: a task, a metric; those are the room's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch

from herd.data import read_corpus
from herd.dialog import encode_prompt, end_ids
from herd.evals import (
    Chosen,
    Continuation,
    EvalReport,
    EvalSettings,
    Prepared,
    Program,
    ProgramVerdict,
    RunPrograms,
    ToContinue,
    ToScore,
    choose,
    evaluate,
    evaluation_section,
    held_out_benchmark,
    is_known,
    prepare,
    text_benchmark,
)
from herd.foundation import PageSection, UserError, available_cores, progress_bar
from herd.inference import (
    Completion,
    Request,
    SamplingConfig,
    Score,
    ScoreRequest,
    completions,
    scores,
)
from herd.language_model import LanguageModel
from herd.tokenizer import Tokenizer
from herd.tools import Sandbox

FINGERPRINT_FORMAT = b"1"  # raise it when what a model answers changes for all models


def prepare_tasks(
    names: Sequence[str],
    data: Path | str | None = None,
    *,
    texts: Sequence[Path] = (),
    include: Path | None = None,
    shots: int | None = None,
    limit: int | None = None,
) -> Prepared:
    """Read what the tasks of these names need, before any model is.

    Raises UserError for an unknown name, a file that is missing or damaged, or nothing to run.
    """
    wanted = [name.strip() for name in names if name.strip()]
    chosen = choose([name for name in wanted if is_known(name)], shots=shots, limit=limit)
    chosen += [Chosen(benchmark=text_benchmark(path), limit=limit) for path in texts]
    others = [name for name in wanted if not is_known(name)]
    chosen, unsafe = _with_sandbox(chosen)
    prepared = prepare(chosen, data, stock=others, include=include, shots=shots, limit=limit)
    return replace(prepared, left_out={**prepared.left_out, **unsafe})


def _with_sandbox(chosen: list[Chosen]) -> tuple[list[Chosen], dict[str, str]]:
    """Leave benchmarks of code out, with the reason, where no sandbox can be proved.

    Raises UserError if one of them was asked for by name.
    """
    of_code = [one for one in chosen if one.benchmark.code]
    if not of_code:
        return chosen, {}
    try:
        Sandbox.open()
    except UserError as error:
        if not all(one.optional for one in of_code):
            raise
        kept = [one for one in chosen if not one.benchmark.code]
        return kept, {one.benchmark.name: str(error) for one in of_code}
    return chosen, {}


def run_evaluation(
    prepared: Prepared,
    lm: LanguageModel,
    out: Path | str,
    settings: EvalSettings | None = None,
    *,
    keep_answers: bool = True,
) -> list[EvalReport]:
    """Run prepared tasks on a model and write the results into `out`; see `herd.evals.evaluate`."""
    needs_sandbox = any(run.benchmark.code for run in prepared.runs)
    return evaluate(
        prepared,
        EngineModel(lm),
        out,
        settings=settings,
        run_programs=_sandboxed() if needs_sandbox else None,
        keep_answers=keep_answers,
    )


def evaluate_pretrained(lm: LanguageModel, corpus: Path, out: Path) -> PageSection:
    """Return what a model of pre-training can do: probes, and the bits per byte of its held-out text.

    Raises UserError when the evaluations are not installed.
    """
    chosen = choose(["probes"])
    held_out = [one.text for one in read_corpus(corpus, split="held_out")]
    if held_out:
        chosen.append(Chosen(benchmark=held_out_benchmark(held_out)))
    reports = run_evaluation(prepare(chosen, None), lm, out, keep_answers=False)
    return evaluation_section(reports)


def _sandboxed() -> RunPrograms:
    """Return what runs programs, with their tests, in the sandbox, and shows how far it is."""
    sandbox = Sandbox.open()

    def run_programs(programs: Sequence[Program]) -> Sequence[ProgramVerdict]:
        with progress_bar("running", len(programs), "programs") as bar:
            return sandbox.check_many(programs, n_workers=available_cores(), progress=bar)

    return run_programs


class EngineModel:
    """`EvaluatedModel` over the engine of a language model."""

    def __init__(self, lm: LanguageModel) -> None:
        self._lm = lm

    @property
    def name(self) -> str:
        """Return the name it was loaded by."""
        return self._lm.name

    @property
    def tokenizer(self) -> Tokenizer:
        """Return its tokenizer."""
        return self._lm.tokenizer

    @property
    def max_context(self) -> int:
        """Return how many tokens it reads."""
        return self._lm.model.config.max_context

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of the weights as they lie in memory, the config and the tokenizer.

        The same model in another dtype or quantization has another one.
        """
        digest = hashlib.sha256(FINGERPRINT_FORMAT)
        digest.update(repr(self._lm.model.config).encode())
        digest.update(self._lm.tokenizer.fingerprint.encode())
        for name, tensor in self._lm.model.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def scores(self, asked: Sequence[ToScore]) -> Iterator[tuple[int, Score]]:
        """Yield (index, score) as they come."""
        vocab_size = self.tokenizer.vocab_size
        return scores(
            self._lm.engine,
            [
                ScoreRequest(
                    prompt=one.prompt, continuation=one.continuation, vocab_size=vocab_size
                )
                for one in asked
            ],
        )

    def continuations(
        self, asked: Sequence[ToContinue]
    ) -> Iterator[tuple[int, list[Continuation]]]:
        """Yield (index, samples) as they come."""
        requests = [self._request(one) for one in asked]
        for i, samples in completions(self._lm.engine, requests):
            yield i, [_continuation(one) for one in samples]

    def chat_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the ids after which the model writes the next answer of a dialog."""
        return encode_prompt(messages, self.tokenizer, self._lm.chat_format)

    def _request(self, asked: ToContinue) -> Request:
        stop_ids = self.tokenizer.stop_ids
        if asked.is_chat:
            stop_ids = end_ids(self.tokenizer, self._lm.chat_format)
        return Request(
            prompt=asked.prompt,
            max_new_tokens=asked.max_new_tokens,
            stop=asked.stop,
            stop_ids=stop_ids,
            sampling=SamplingConfig(temperature=asked.temperature, top_p=asked.top_p),
            seed=asked.seed,
            n_samples=asked.n_samples,
            vocab_size=self.tokenizer.vocab_size,
            continues=not asked.is_chat,
        )


def _continuation(one: Completion) -> Continuation:
    return Continuation(one.text, len(one.tokens), one.finish_reason, one.error)
