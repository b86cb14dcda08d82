"""Where one answer stands in its grammar: what may follow, and back again.

In: a compiled constraint, the answer's tokens one by one. Out: masks over the vocabulary.
Never: sampling, or a fault that reaches another request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import llguidance
import numpy as np
import numpy.typing as npt
import torch

from herd.foundation import UserError
from herd.inference.constraints.bounds import JsonPosition, advance, keep_bounds
from herd.inference.constraints.vocabulary import ConstraintVocabulary
from herd.inference.constraints.worker import DEAD_END

BITS = 32


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class CompiledConstraint:
    """A grammar on a vocabulary, with the tokens by which its answers end.

    It belongs to one request: the answers (samples) that start from it share the room for the states
    of their lexer, so that one which exceeds its limits ends the others, too.
    `vocab_size` is the length of masks, that of the model's logits; ids that the tokenizer lacks are
    never allowed. `opening_mask_V` is the first mask where decoding drops an answer's first space.
    """

    matcher: llguidance.LLMatcher
    vocabulary: ConstraintVocabulary
    stop_ids: frozenset[int]
    vocab_size: int
    is_json: bool
    opening_mask_V: npt.NDArray[np.bool_] | None = None

    def start(self) -> ConstraintState:
        """Return the state of an answer of which nothing is written yet."""
        return ConstraintState(self)


@dataclass(frozen=True, slots=True)
class _Step:
    """What accepting a token changed: how to undo it."""

    position: JsonPosition
    n_consumed: int


class ConstraintState:
    """The grammar's view of one answer. Stop tokens are allowed exactly where it may end.

    Methods raise UserError when the constraint exceeds its limits on the way: this request is over,
    others go on. They raise ValueError when called against the mask.
    """

    def __init__(self, compiled: CompiledConstraint) -> None:
        self._compiled = compiled
        self._matcher = compiled.matcher.deep_copy()
        self._stops = [i for i in sorted(compiled.stop_ids) if i < compiled.vocab_size]
        n_words = (compiled.vocabulary.n_ids + 1 + BITS - 1) // BITS
        self._bits = np.zeros(n_words, dtype=np.int32)
        self._steps: list[_Step] = []
        self._position = JsonPosition()
        self._ended = False
        self._mask_V: npt.NDArray[np.bool_] | None = None

    @property
    def finished(self) -> bool:
        """Whether the answer is complete as it stands: it may end here."""
        return self._ended or self._matcher.is_accepting()

    @property
    def must_stop(self) -> bool:
        """Whether the answer is complete and nothing may follow."""
        if self._ended or not self.finished:
            return self._ended
        return self._matcher.is_stopped() or not self._others_allowed()

    def allowed_mask(self) -> torch.Tensor:
        """Return which tokens may come next, bool [V] on the CPU; stop tokens where it may end.

        It is this call's own: later calls leave it as it is.
        """
        return torch.from_numpy(self._allowed().copy())

    def accept(self, token_id: int) -> None:
        """Go on by one allowed token; a stop token ends the answer."""
        if self._ended:
            raise ValueError(f"token {token_id} comes after the end of a constrained answer")
        if token_id in self._compiled.stop_ids:
            if not self.finished:
                raise ValueError(f"stop token {token_id} comes before the answer may end")
            self._steps.append(_Step(self._position, 0))
            self._ended = True
        else:
            self._consume(token_id)
        self._mask_V = None

    def rollback(self, n_tokens: int) -> None:
        """Undo the last `n_tokens` that were accepted."""
        if not 0 <= n_tokens <= len(self._steps):
            raise ValueError(f"rollback of {n_tokens} tokens, of which {len(self._steps)} exist")
        if n_tokens == 0:
            return
        undone = self._steps[-n_tokens:]
        del self._steps[-n_tokens:]
        n_consumed = sum(step.n_consumed for step in undone)
        if n_consumed and not self._matcher.rollback(n_consumed):
            self._raise_error()
        self._position = undone[0].position
        self._ended = False
        self._mask_V = None

    def validate(self, token_ids: Sequence[int]) -> int:
        """Return how many of `token_ids`, from the first on, could be accepted one after the other.

        The state stays as it is.
        """
        n_accepted = 0
        for token_id in token_ids:
            if not 0 <= token_id < self._compiled.vocab_size or not self._allowed()[token_id]:
                break
            self.accept(token_id)
            n_accepted += 1
            if self._ended:
                break
        self.rollback(n_accepted)
        return n_accepted

    def _allowed(self) -> npt.NDArray[np.bool_]:
        if self._mask_V is None:
            self._mask_V = self._compute_mask()
        return self._mask_V

    def _compute_mask(self) -> npt.NDArray[np.bool_]:
        compiled = self._compiled
        if self._ended:
            return np.zeros(compiled.vocab_size, dtype=np.bool_)
        if not self._steps and compiled.opening_mask_V is not None:
            mask_V = compiled.opening_mask_V.copy()
        else:
            mask_V = self._grammar_mask()
        mask_V[self._stops] = self.finished
        if compiled.is_json:
            mask_V = keep_bounds(mask_V, self._position, compiled.vocabulary)
        return mask_V

    def _grammar_mask(self) -> npt.NDArray[np.bool_]:
        if self._matcher.is_stopped():
            if self._matcher.is_error():
                self._raise_error()
            return np.zeros(self._compiled.vocab_size, dtype=np.bool_)
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        if self._matcher.is_error():
            self._raise_error()
        return unpack(self._bits, self._compiled.vocabulary.n_ids, self._compiled.vocab_size)

    def _others_allowed(self) -> bool:
        mask_V = self._allowed()
        return int(np.count_nonzero(mask_V)) > int(np.count_nonzero(mask_V[self._stops]))

    def _consume(self, token_id: int) -> None:
        ids, text = self._as_grammar_sees_it(token_id)
        n_consumed = self._matcher.try_consume_tokens(ids)
        if self._matcher.is_error():
            self._raise_error()
        if n_consumed < len(ids):
            self._matcher.rollback(n_consumed)
            raise ValueError(
                f"token {token_id} is not allowed at {len(self._steps)} by the grammar"
            )
        self._steps.append(_Step(self._position, n_consumed))
        if self._compiled.is_json:
            self._position = advance(self._position, text)

    def _as_grammar_sees_it(self, token_id: int) -> tuple[list[int], bytes]:
        """The token, or at the opening what is left of it without its space."""
        vocabulary = self._compiled.vocabulary
        if not 0 <= token_id < vocabulary.n_ids:
            raise ValueError(f"token {token_id} is not in the tokenizer's vocabulary")
        text = vocabulary.tokens[token_id]
        is_opening = not self._steps and self._compiled.opening_mask_V is not None
        if is_opening and text.startswith(b" "):
            return vocabulary.spell(text[1:]), text[1:]
        return [token_id], text

    def _raise_error(self) -> None:
        error = self._matcher.get_error()
        if error.startswith(DEAD_END):
            raise UserError("the constraint allows no token of this vocabulary here")
        reason = " ".join(error.replace("<non-verbose/>", "").split())[:200]
        raise UserError(f"the constraint became too complex while the answer grew ({reason})")


def unpack(bits: npt.NDArray[np.int32], n_ids: int, vocab_size: int) -> npt.NDArray[np.bool_]:
    """Return the first `n_ids` bits as bool [vocab_size], False beyond."""
    bytes_V = np.unpackbits(bits.view(np.uint8), count=vocab_size, bitorder="little")
    bytes_V[n_ids:] = 0
    return bytes_V.view(np.bool_)
