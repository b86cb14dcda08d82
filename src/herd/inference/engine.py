"""The engine: many requests at once, each as if it were alone.

In: requests, at any time. Out: after each step, what it brought for each of them.
Never: threads, HTTP, dialogs; text only where it is given a tokenizer.

A step reads schedule -> run -> postprocess. What a request gives hangs on its tokens, settings and
seed only: never on what runs beside it, how its prompt was cut, or what was cached.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch

from herd.foundation import UserError
from herd.inference.block_pool import BlockPool, blocks_for
from herd.inference.engine_config import EngineConfig, EngineCounters
from herd.inference.request import FinishReason, Output, Request, ScoreGroup, ScoreRequest
from herd.inference.runner import Chunk, Runner
from herd.inference.sampled_sequence import SampledSequence, n_new_tokens_at_most, n_tokens_read
from herd.inference.sampler import SamplingRow, sample_rows
from herd.inference.scheduler import Plan, Scheduler
from herd.inference.scored_sequence import ScoredSequence, n_tokens_scored
from herd.inference.sequence import TokenSequence
from herd.inference.speculation import Proposer, guess_ahead
from herd.tokenizer import Tokenizer


class QueueFullError(UserError):
    """Too many requests wait already; the same request may be accepted later."""

    def __init__(self, n_waiting: int, max_waiting: int) -> None:
        super().__init__(
            f"{n_waiting:,} requests wait already, and max_waiting is {max_waiting:,}: try again "
            "later"
        )


class Draw(NamedTuple):
    """A sequence draws from a row of the step's logits, `n_accepted` of its proposals before it."""

    sequence: SampledSequence
    row: int
    n_accepted: int = 0


class Engine:
    """Submit, then step while `has_work`; outputs are told apart by ticket. For one thread."""

    def __init__(
        self,
        runner: Runner,
        config: EngineConfig | None = None,
        *,
        tokenizer: Tokenizer | None = None,
        proposer: Proposer | None = None,
    ) -> None:
        self.config = config or EngineConfig()
        self.counters = EngineCounters()
        self._runner = runner
        self._tokenizer = tokenizer
        self._proposer = proposer
        self._scheduler = Scheduler(
            BlockPool(runner.n_blocks),
            step_tokens=self.config.step_tokens,
            max_running=self.config.running_limit,
            prefix_caching=self.config.prefix_caching,
        )
        self._live: dict[int, list[TokenSequence]] = {}  # by ticket
        self._ready: list[Output] = []  # for the next step to return
        self._n_tickets = 0
        self._n_keys = 0

    @property
    def has_work(self) -> bool:
        """Return whether a step would bring anything."""
        return bool(self._live or self._ready)

    @property
    def has_room(self) -> bool:
        """Return whether another request would be accepted now."""
        return self.n_waiting < self.config.max_waiting

    def is_live(self, ticket: int) -> bool:
        """Return whether the request runs or waits; its last outputs may still be to come."""
        return ticket in self._live

    @property
    def n_waiting(self) -> int:
        """Return how many sequences wait for their turn."""
        return len(self._scheduler.waiting)

    @property
    def n_running(self) -> int:
        """Return how many sequences run."""
        return len(self._scheduler.running)

    @property
    def n_used_blocks(self) -> int:
        """Return how many blocks of the cache are held by requests."""
        return self._scheduler.pool.n_used

    def check(self, request: Request | ScoreRequest | ScoreGroup) -> None:
        """Raise UserError, with the counts, for a request that could never be served.

        Changes nothing, so any thread may call it at any time.
        """
        if not isinstance(request, Request):
            n_tokens = n_tokens_scored(request, self._runner.config)
        else:
            n_tokens = n_tokens_read(request, self._runner.config)
            if request.stop and self._tokenizer is None:
                raise UserError(
                    "stop strings need a tokenizer, and this engine has none: give stop_ids instead"
                )
        n_needed, n_blocks = blocks_for(n_tokens), self._runner.n_blocks
        if n_needed > n_blocks:
            raise UserError(
                f"the request needs room for {n_tokens:,} tokens, {n_needed:,} blocks, but the "
                f"cache has {n_blocks:,}: shorten it or give the cache more memory"
            )

    def submit(self, request: Request | ScoreRequest | ScoreGroup) -> int:
        """Take a request in; return its ticket, by which its outputs are known.

        Raises UserError as `check` does, and QueueFullError when `max_waiting` wait already.
        """
        self.check(request)
        if not self.has_room:
            raise QueueFullError(self.n_waiting, self.config.max_waiting)
        ticket = self._n_tickets
        if isinstance(request, Request) and n_new_tokens_at_most(request, self._runner.config) == 0:
            self._ready += _last_outputs(ticket, range(request.n_samples), "length")
        else:
            sequence = self._sequence(request, ticket)
            self._live[ticket] = [sequence]
            self._scheduler.add(sequence)
        self._n_tickets += 1
        return ticket

    def cancel(self, ticket: int) -> bool:
        """End a request now and free its blocks; the next step says so of each of its samples.

        Return whether there was anything left to end.
        """
        sequences = self._live.pop(ticket, [])
        for sequence in sequences:
            self._leave(sequence)
            self._ready.append(sequence.end("cancelled"))
            self._ready += _last_outputs(ticket, range(1, sequence.n_slots), "cancelled")
        return bool(sequences)

    # Nothing of a step is ever differentiated.
    @torch.inference_mode()
    def step(self) -> list[Output]:
        """Run one step; return what it brought, each sample's tokens in order.

        After an error of the runner or the proposer the engine is as it was before the step.
        """
        if self._proposer is not None:
            guess_ahead(
                self._proposer,
                self._scheduler.running,
                n_tokens=self.config.n_proposals,
                vocab_size=self._runner.config.vocab_size,
            )
        plan = self._scheduler.schedule()
        if plan.n_tokens_of:
            chunks = [sequence.chunk(n) for sequence, n in plan.n_tokens_of.items()]
            logits_RV = self._run(plan, chunks)
            self._postprocess(list(plan.n_tokens_of), chunks, logits_RV)
        elif self._live:
            raise AssertionError("requests wait, but nothing can run")  # rather than for ever
        outputs, self._ready = self._ready, []
        return outputs

    def keep(self, outputs: Sequence[Output], *, without: Collection[int] = ()) -> None:
        """Let the next step return these outputs again, and none of the tickets in `without`."""
        self._ready = [o for o in [*outputs, *self._ready] if o.ticket not in without]

    def check_books(self) -> None:
        """Raise AssertionError unless every block and sequence is accounted for (for tests)."""
        running, waiting = self._scheduler.running, self._scheduler.waiting
        self._scheduler.pool.check([sequence.blocks for sequence in running])
        assert not any(sequence.blocks for sequence in waiting), "a waiting sequence holds blocks"
        for sequence in running:
            assert len(sequence.blocks) <= blocks_for(len(sequence.tokens)), "an idle block is held"
        live = [sequence for sequences in self._live.values() for sequence in sequences]
        assert {*live} == {*running, *waiting}, "a live sequence neither runs nor waits"
        assert len(live) == len(running) + len(waiting), "a sequence runs or waits twice"

    def _sequence(self, request: Request | ScoreRequest | ScoreGroup, ticket: int) -> TokenSequence:
        if not isinstance(request, Request):
            return self._scored(request, ticket)
        sequence = self._sample(request, ticket, 0)
        sequence.n_slots = request.n_samples
        return sequence

    def _scored(self, request: ScoreRequest | ScoreGroup, ticket: int) -> ScoredSequence:
        members = request.members if isinstance(request, ScoreGroup) else (request,)
        config = self._runner.config
        first, *followers = (
            ScoredSequence(one, config, key=self._next_key(), ticket=ticket, sample=i)
            for i, one in enumerate(members)
        )
        first.lead(followers)
        return first

    def _sample(self, request: Request, ticket: int, sample: int) -> SampledSequence:
        config = self._runner.config
        return SampledSequence(
            request, config, self._tokenizer, key=self._next_key(), ticket=ticket, sample=sample
        )

    def _next_key(self) -> int:
        self._n_keys += 1
        return self._n_keys

    def _run(self, plan: Plan, chunks: Sequence[Chunk]) -> torch.Tensor:
        for source, target in plan.copies:
            self._runner.copy_block(source, target)
        logits_RV = self._runner.run(chunks)
        self.counters.n_steps += 1
        self.counters.n_computed_tokens += self.config.step_tokens - plan.tokens_left
        self.counters.n_preemptions = self._scheduler.n_preemptions
        return logits_RV

    def _postprocess(
        self, sequences: Sequence[TokenSequence], chunks: Sequence[Chunk], logits_RV: torch.Tensor
    ) -> None:
        draws: list[Draw] = []
        row = 0
        for sequence, chunk in zip(sequences, chunks, strict=True):
            n_known = min(chunk.start + len(chunk.tokens), len(sequence.tokens))
            self._scheduler.advance(sequence, n_known)
            if chunk.n_logits and isinstance(sequence, SampledSequence):
                del sequence.proposals[chunk.n_logits - 1 :]  # there was no room for these
                self.counters.n_proposed_tokens += len(sequence.proposals)
                draws += [Draw(sample, row) for sample in self._samples(sequence)]
            elif chunk.n_logits and isinstance(sequence, ScoredSequence):
                self._score(sequence, logits_RV[row : row + chunk.n_logits], chunk)
            row += chunk.n_logits
        while draws:
            draws = self._draw(draws, logits_RV)

    def _score(self, first: ScoredSequence, logits_RV: torch.Tensor, chunk: Chunk) -> None:
        """Score what was read; once all of it is, let the followers go on with what they share."""
        output = first.take(logits_RV, chunk.start + len(chunk.tokens) - chunk.n_logits)
        if output is None:
            return
        if output.finish_reason == "error":
            samples = [one.sample for one in first.followers]
            self._emit(first, output)
            self._ready += _last_outputs(first.ticket, samples, "error", output.error)
            return
        going_on = [one for one in first.followers if not one.is_scored]
        self._scheduler.follow(first, going_on)
        self._live[first.ticket] += going_on
        self._emit(first, output)
        self._ready += [one.output() for one in first.followers if one.is_scored]

    def _samples(self, first: SampledSequence) -> list[SampledSequence]:
        """Return all samples that go on from here: at the end of a prompt they part."""
        if first.n_slots == 1:
            return [first]
        others = []
        for sample in range(1, first.request.n_samples):
            try:
                others.append(self._sample(first.request, first.ticket, sample))
            except Exception as error:  # a constraint's: it must not end anybody else's answer
                self._ready += _last_outputs(first.ticket, [sample], "error", _line(error))
        self._scheduler.fork(first, others)
        self._live[first.ticket] += others
        return [first, *others]

    def _draw(self, draws: Sequence[Draw], logits_RV: torch.Tensor) -> list[Draw]:
        """Draw once for each; return the draws that follow because a proposal was right."""
        ready: list[Draw] = []
        rows: list[SamplingRow] = []
        for draw in draws:
            try:
                rows.append(draw.sequence.row())
                ready.append(draw)
            except Exception as error:  # a constraint's
                self._emit(draw.sequence, draw.sequence.end("error", error=_line(error)))
        following = []
        drawn = sample_rows(_rows_of(logits_RV, [draw.row for draw in ready]), rows)
        for draw, one in zip(ready, drawn, strict=True):
            sequence, proposals = draw.sequence, draw.sequence.proposals
            try:
                output = sequence.take(one)
            except Exception as error:  # a constraint's, or a token the tokenizer does not know
                output = sequence.end("error", error=_line(error))
            self._emit(sequence, output)
            if output.finish_reason or not proposals:
                continue
            if draw.n_accepted < len(proposals) and proposals[draw.n_accepted] == one.id:
                self._scheduler.advance(sequence, len(sequence.tokens))
                following.append(Draw(sequence, draw.row + 1, draw.n_accepted + 1))
                self.counters.n_accepted_tokens += 1
            else:
                proposals.clear()
                self._scheduler.trim(sequence)
        return following

    def _emit(self, sequence: TokenSequence, output: Output | None) -> None:
        if output is None:
            return
        self._ready.append(output)
        self.counters.n_new_tokens += output.id is not None
        if output.finish_reason:
            self._leave(sequence, damaged=output.finish_reason == "error")
            if sequence.sample == 0:  # the others share its prompt
                self.counters.n_cached_tokens += sequence.n_cached_tokens
            others = self._live[sequence.ticket]
            others.remove(sequence)
            if not others:
                del self._live[sequence.ticket]

    def _leave(self, sequence: TokenSequence, *, damaged: bool = False) -> None:
        self._scheduler.remove(sequence, forget=damaged)
        if self._proposer is not None:
            self._proposer.release(sequence.key)


def _rows_of(logits_RV: torch.Tensor, rows: list[int]) -> torch.Tensor:
    # In plain decoding every row is drawn from once, in order: no copy.
    return logits_RV if rows == list(range(len(logits_RV))) else logits_RV[rows]


def _last_outputs(
    ticket: int, samples: Collection[int], reason: FinishReason, error: str = ""
) -> list[Output]:
    return [Output(ticket, i, finish_reason=reason, error=error) for i in samples]


def _line(error: Exception) -> str:
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
