"""From a constraint to masks: proven once in a worker within limits, then built here.

In: constraints, of one tokenizer. Out: `CompiledConstraint`. Never: a constraint that hangs, crashes or
swells this process: each is first compiled, and walked a few steps, in a child that can be killed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from types import TracebackType

import llguidance
import numpy as np
import numpy.typing as npt

from herd.foundation import UserError
from herd.inference.constraints.constraint import Constraint
from herd.inference.constraints.grammar import compile_error, grammar_text
from herd.inference.constraints.limits import ConstraintLimits
from herd.inference.constraints.process import ConstraintProcess, WorkerStopped
from herd.inference.constraints.state import CompiledConstraint, unpack
from herd.inference.constraints.vocabulary import ConstraintVocabulary
from herd.inference.constraints.worker import build_matcher
from herd.tokenizer import Tokenizer


class ConstraintCompiler:
    """Compiles constraints for one tokenizer; safe to call from several threads.

    Call it where a request comes in, not between the steps of an engine: a new constraint takes
    milliseconds, a hostile one all of its time limit. The worker starts with the first and ends with
    the compiler, by `close` or when it is forgotten.
    """

    def __init__(self, tokenizer: Tokenizer, limits: ConstraintLimits | None = None) -> None:
        self.limits = limits or ConstraintLimits()
        self.vocabulary = ConstraintVocabulary.of(tokenizer)
        # Decoding may take a space from an answer's beginning: there tokens mean something else.
        self._opening = (
            ConstraintVocabulary.of(tokenizer, opens_text=True)
            if tokenizer.prefix_at_start
            else None
        )
        self._default_stop_ids = frozenset(tokenizer.stop_ids)
        self._worker = ConstraintProcess(self.vocabulary, self.limits)
        self._refusals: OrderedDict[Constraint, str | None] = OrderedDict()
        self._lock = threading.Lock()

    def __enter__(self) -> ConstraintCompiler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker; a later constraint starts another."""
        self._worker.close()

    def compile(
        self,
        constraint: Constraint,
        *,
        stop_ids: Collection[int] | None = None,
        vocab_size: int | None = None,
        continues: bool = True,
    ) -> CompiledConstraint:
        """Return what a request carries as its constraint.

        `stop_ids` (None: the tokenizer's) end an answer; `vocab_size` (None: the tokenizer's) is the
        length of masks, that of the model's logits; `continues` as in `Request`. One that is known
        takes 1 to 20 ms. Raises UserError, in bounded time, for a constraint that is wrong,
        impossible, or costs more than the limits.
        """
        self._prove(constraint)
        # Built anew for each request: copies share a lexer, and with it the room that its states may
        # take, so one answer that fills it would end those of others.
        matcher = self._build(self.vocabulary, constraint)
        is_json = constraint.kind in ("json_schema", "json_object")
        if is_json:
            self.vocabulary.prepare_bounds()  # here, not in an engine's step
        vocab_size = self.vocabulary.n_ids if vocab_size is None else vocab_size
        opening_mask_V = None
        if not continues and self._opening is not None:
            opening_mask_V = self._first_mask(self._opening, constraint, vocab_size)
        return CompiledConstraint(
            matcher=matcher,
            vocabulary=self.vocabulary,
            stop_ids=self._default_stop_ids if stop_ids is None else frozenset(stop_ids),
            vocab_size=vocab_size,
            is_json=is_json,
            opening_mask_V=opening_mask_V,
        )

    def _prove(self, constraint: Constraint) -> None:
        """Raise UserError unless the worker has compiled it; ask only once about each."""
        with self._lock:
            is_known = constraint in self._refusals
            refusal = self._refusals.get(constraint)
            if is_known:
                self._refusals.move_to_end(constraint)
        if not is_known:
            refusal = self._ask_worker(constraint)
        if refusal is not None:
            raise UserError(refusal)

    def _ask_worker(self, constraint: Constraint) -> str | None:
        """Return the refusal, or None; remember which, since it would be the same another time."""
        try:
            error = self._worker.verdict(grammar_text(constraint))
        except WorkerStopped as stopped:
            raise UserError(
                f"the {constraint.name} {stopped}: make it simpler or shorter"
            ) from stopped
        refusal = str(compile_error(constraint, error)) if error else None
        with self._lock:
            self._refusals[constraint] = refusal
            while len(self._refusals) > self.limits.n_cached:
                self._refusals.popitem(last=False)
        return refusal

    def _build(
        self, vocabulary: ConstraintVocabulary, constraint: Constraint
    ) -> llguidance.LLMatcher:
        grammar = grammar_text(constraint)
        matcher = build_matcher(vocabulary.engine, grammar, self.limits.engine_limits())
        if matcher.is_error():
            raise compile_error(constraint, matcher.get_error())
        return matcher

    def _first_mask(
        self, vocabulary: ConstraintVocabulary, constraint: Constraint, vocab_size: int
    ) -> npt.NDArray[np.bool_]:
        bits = self._build(vocabulary, constraint).compute_bitmask()
        padded = bits + bytes(-len(bits) % 4)
        mask_V = unpack(np.frombuffer(padded, dtype=np.int32), vocabulary.n_ids, vocab_size)
        mask_V[[i for i in self.vocabulary.space_ids if i < vocab_size]] = True  # nothing is left
        return mask_V
