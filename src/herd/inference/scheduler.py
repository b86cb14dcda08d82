"""Who runs in the next step, with how many tokens, in which blocks.

In: sequences, in the order they came. Out: a plan: sequences with a number of tokens each, and
blocks to copy before. Decoding first, then prompts in chunks, all under one budget of tokens.
Never: tensors, drawing, text.

Running sequences are always older than waiting ones. When blocks run out, the newest running one
gives all of its back and waits, first in the queue, to be computed again; so the oldest always
goes on, and whoever waits becomes the oldest in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from herd.inference.block_pool import BlockPool, blocks_for
from herd.inference.paged_cache import BLOCK_TOKENS
from herd.inference.scored_sequence import ScoredSequence
from herd.inference.sequence import TokenSequence


@dataclass(slots=True)
class Plan:
    """One step: how many tokens of which sequences; blocks (source, target) to copy before it."""

    n_tokens_of: dict[TokenSequence, int] = field(default_factory=dict)
    copies: list[tuple[int, int]] = field(default_factory=list)
    tokens_left: int = 0


class Scheduler:
    """`running` and `waiting` hold the sequences, each in the order of their arrival."""

    def __init__(
        self, pool: BlockPool, *, step_tokens: int, max_running: int, prefix_caching: bool
    ) -> None:
        self.pool = pool
        self.running: list[TokenSequence] = []
        self.waiting: deque[TokenSequence] = deque()
        self.n_preemptions = 0
        self._step_tokens = step_tokens
        self._max_running = max_running
        self._prefix_caching = prefix_caching
        self._in_flight: dict[bytes, TokenSequence] = {}  # full blocks that are being computed

    def add(self, sequence: TokenSequence) -> None:
        """Let a new sequence wait its turn."""
        self.waiting.append(sequence)

    def schedule(self) -> Plan:
        """Return the next step. It is empty only when nothing runs or waits."""
        plan = Plan(tokens_left=self._step_tokens)
        n_preemptions = self.n_preemptions
        self._plan_decodes(plan)
        self._plan_prompts(plan)
        if self.n_preemptions == n_preemptions:  # else the blocks that are free are spoken for
            self._admit(plan)
        return plan

    def advance(self, sequence: TokenSequence, n_computed: int) -> None:
        """Note that keys and values of the first `n_computed` tokens are there for good."""
        sequence.n_computed = n_computed
        n_full = n_computed // BLOCK_TOKENS
        if self._prefix_caching and n_full > sequence.n_published:
            hashes = sequence.hashes(n_full)
            for block in range(sequence.n_published, n_full):
                self.pool.publish(sequence.blocks[block], hashes[block])
                self._land(hashes[block], sequence)
            sequence.n_published = n_full

    def trim(self, sequence: TokenSequence) -> None:
        """Release blocks beyond the known tokens: they held proposals that were rejected."""
        while len(sequence.blocks) > blocks_for(len(sequence.tokens)):
            self.pool.release(sequence.blocks.pop())

    def fork(self, parent: TokenSequence, samples: Sequence[TokenSequence]) -> None:
        """Let further samples share all that `parent` has computed.

        Those for whom there is no room among the running wait without blocks.
        """
        parent.n_slots = 1
        n_room = max(0, self._max_running - len(self.running))
        for sample in samples:
            sample.has_run, sample.n_cached_tokens = True, parent.n_cached_tokens
        for sample in samples[:n_room]:
            sample.blocks = list(parent.blocks)
            for block in sample.blocks:
                self.pool.share(block)
            sample.n_computed, sample.n_published = parent.n_computed, parent.n_published
            sample.is_running = True
        at = self.running.index(parent) + 1
        self.running[at:at] = samples[:n_room]
        self.waiting.extendleft(reversed(samples[n_room:]))

    def follow(self, first: ScoredSequence, followers: Sequence[ScoredSequence]) -> None:
        """Let `followers` go on from the tokens that each shares with `first`, which is read.

        Those for whom there is no room among the running wait without blocks.
        """
        first.n_slots = 1
        n_room = max(0, self._max_running - len(self.running))
        for one in followers[:n_room]:
            one.blocks = first.blocks[: blocks_for(one.n_shared)]
            for block in one.blocks:
                self.pool.share(block)
            one.n_computed = one.n_shared
            one.n_published = min(first.n_published, one.n_shared // BLOCK_TOKENS)
            one.n_cached_tokens = first.n_cached_tokens
            one.is_running = one.has_run = True
        at = self.running.index(first) + 1
        self.running[at:at] = followers[:n_room]
        self.waiting.extendleft(reversed(followers[n_room:]))

    def remove(self, sequence: TokenSequence, *, forget: bool = False) -> None:
        """Take a sequence out and free its blocks; `forget` what they hold if it is damaged."""
        if sequence.is_running:
            self.running.remove(sequence)
        else:
            self.waiting.remove(sequence)
        if forget:
            for block in sequence.blocks:
                if not self.pool.is_shared(block):
                    self.pool.forget(block)
        self._give_back(sequence)

    def _plan_decodes(self, plan: Plan) -> None:
        # Of the budget one token is left to each running sequence; proposals share the rest.
        n_spare = self._step_tokens - len(self.running)
        i = 0
        while i < len(self.running):  # preemption shortens the list at its end
            sequence = self.running[i]
            i += 1
            if sequence.n_uncomputed != 1:
                continue
            n_proposed = min(len(sequence.proposals), n_spare)
            if n_proposed and self._reserve(plan, sequence, 1 + n_proposed):
                n_spare -= n_proposed
                self._plan(plan, sequence, 1 + n_proposed)
            elif self._reserve_or_preempt(plan, sequence, 1):
                self._plan(plan, sequence, 1)
            else:
                self._preempt(plan, sequence)

    def _plan_prompts(self, plan: Plan) -> None:
        i = 0
        while i < len(self.running) and plan.tokens_left > 0:
            sequence = self.running[i]
            i += 1
            if sequence.n_uncomputed == 1:
                continue
            n_tokens = min(sequence.n_uncomputed, plan.tokens_left)
            if not self._reserve_or_preempt(plan, sequence, n_tokens):
                n_room = (len(sequence.blocks) + self.pool.n_free) * BLOCK_TOKENS
                n_tokens = min(n_tokens, n_room - sequence.n_computed)
                if n_tokens <= 0 or not self._reserve(plan, sequence, n_tokens):
                    continue
            self._plan(plan, sequence, n_tokens)

    def _admit(self, plan: Plan) -> None:
        while self.waiting and plan.tokens_left > 0:
            sequence = self.waiting[0]
            n_slots = sum(each.n_slots for each in self.running)
            if self.running and n_slots + sequence.n_slots > self._max_running:
                return
            cached = self._cached_blocks(sequence)
            if cached is None or not self._has_room_for(sequence, cached):
                return
            self.waiting.popleft()
            self._start(sequence, cached)
            n_tokens = min(sequence.n_uncomputed, plan.tokens_left)
            self._reserve(plan, sequence, n_tokens)
            self._plan(plan, sequence, n_tokens)

    def _cached_blocks(self, sequence: TokenSequence) -> list[int] | None:
        """Return the cached blocks it can begin with; None if a running one is about to add more.

        Then waiting for it is cheaper than computing the same beside it.
        """
        if not self._prefix_caching:
            return []
        hashes = sequence.hashes(sequence.first_wanted // BLOCK_TOKENS)
        cached = self.pool.cached_prefix(hashes)
        if len(cached) < len(hashes) and hashes[len(cached)] in self._in_flight:
            return None
        return cached

    def _has_room_for(self, sequence: TokenSequence, cached: Sequence[int]) -> bool:
        """Return whether all its tokens find blocks, and each running sequence one more.

        Otherwise it would soon have to give way again, and its work would be lost.
        """
        if not self.running:
            return True  # whatever is submitted fits alone
        n_needed = blocks_for(len(sequence.tokens)) - len(cached) + self.pool.n_idle_of(cached)
        for other in self.running:
            n_needed += max(1, blocks_for(len(other.tokens)) - len(other.blocks))
        return n_needed <= self.pool.n_free

    def _start(self, sequence: TokenSequence, cached: list[int]) -> None:
        for block in cached:
            self.pool.share(block)
        sequence.blocks = cached
        sequence.n_published = len(cached)
        sequence.n_computed = len(cached) * BLOCK_TOKENS
        if not sequence.has_run:
            sequence.n_cached_tokens = sequence.n_computed
        sequence.is_running = sequence.has_run = True
        self.running.append(sequence)
        if self._prefix_caching:
            for content in sequence.hashes(len(sequence.tokens) // BLOCK_TOKENS)[len(cached) :]:
                self._in_flight.setdefault(content, sequence)

    def _plan(self, plan: Plan, sequence: TokenSequence, n_tokens: int) -> None:
        plan.n_tokens_of[sequence] = n_tokens
        plan.tokens_left -= n_tokens

    def _reserve(self, plan: Plan, sequence: TokenSequence, n_tokens: int) -> bool:
        """Give the sequence blocks of its own for the next `n_tokens`, or nothing at all."""
        n_computed, blocks = sequence.n_computed, sequence.blocks
        n_new = blocks_for(n_computed + n_tokens) - len(blocks)
        begun = n_computed // BLOCK_TOKENS
        is_copied = n_computed % BLOCK_TOKENS != 0 and self.pool.is_shared(blocks[begun])
        if n_new + is_copied > self.pool.n_free:
            return False
        if is_copied:
            source, target = blocks[begun], self._allocate()
            plan.copies.append((source, target))
            blocks[begun] = target
            self.pool.release(source)
        elif n_computed % BLOCK_TOKENS:
            self.pool.forget(blocks[begun])  # whom it was full for has gone; it is filled anew
        for _ in range(n_new):
            blocks.append(self._allocate())
        return True

    def _reserve_or_preempt(self, plan: Plan, sequence: TokenSequence, n_tokens: int) -> bool:
        """Reserve, taking blocks from newer sequences; False when there is no newer one left."""
        while not self._reserve(plan, sequence, n_tokens):
            if self.running[-1] is sequence:
                return False
            self._preempt(plan, self.running[-1])
        return True

    def _preempt(self, plan: Plan, newest: TokenSequence) -> None:
        self.running.pop()
        self.waiting.appendleft(newest)
        plan.tokens_left += plan.n_tokens_of.pop(newest, 0)
        self._give_back(newest)
        self.n_preemptions += 1

    def _give_back(self, sequence: TokenSequence) -> None:
        self.pool.release_all(sequence.blocks)
        if self._in_flight:
            for content in sequence.hashes(len(sequence.tokens) // BLOCK_TOKENS):
                self._land(content, sequence)
        sequence.n_computed = sequence.n_published = 0
        sequence.is_running = False

    def _land(self, content: bytes, sequence: TokenSequence) -> None:
        if self._in_flight.get(content) is sequence:
            del self._in_flight[content]

    def _allocate(self) -> int:
        block = self.pool.allocate()
        assert block is not None, "counted as free, but not there"
        return block
