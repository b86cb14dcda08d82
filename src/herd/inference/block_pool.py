"""Who holds which block of the paged cache, and which blocks already hold a given text.

In: demands for blocks, content hashes of blocks that are full. Out: block numbers.
Never: tensors, sequences, or a decision about who has to give blocks back; the scheduler makes it.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence

from herd.inference.paged_cache import BLOCK_TOKENS

DIGEST_BYTES = 32  # nobody finds two texts of one hash: a stranger's prompt cannot fetch other keys


def root_hash(salt: str = "") -> bytes:
    """Return what stands before the first block. Requests of unlike salts never share blocks."""
    return hashlib.blake2b(salt.encode(), digest_size=DIGEST_BYTES).digest()


def block_hash(parent: bytes, tokens: Sequence[int]) -> bytes:
    """Return the hash of a full block: of its 16 tokens and, through `parent`, of all before it."""
    content = parent + array("q", tokens).tobytes()
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def blocks_for(n_tokens: int) -> int:
    """Return how many blocks `n_tokens` tokens fill or begin."""
    return -(-n_tokens // BLOCK_TOKENS)


class BlockPool:
    """Blocks by number: held by one or more sequences, cached by content, or free.

    A cached block that nobody holds is free, too, but keeps its content until it is needed; the one
    unused for longest goes first.
    """

    def __init__(self, n_blocks: int) -> None:
        self.n_blocks = n_blocks
        self._n_holders = [0] * n_blocks
        self._empty = list(range(n_blocks - 1, -1, -1))  # free and without content worth keeping
        self._idle: OrderedDict[int, None] = OrderedDict()  # free and cached, longest unused first
        self._block_of: dict[bytes, int] = {}
        self._hash_of: dict[int, bytes] = {}

    @property
    def n_free(self) -> int:
        """Return how many blocks nobody holds."""
        return len(self._empty) + len(self._idle)

    @property
    def n_used(self) -> int:
        """Return how many blocks somebody holds."""
        return self.n_blocks - self.n_free

    def allocate(self) -> int | None:
        """Return a block for a new holder, its content forgotten; None when there is none."""
        if self._empty:
            block = self._empty.pop()
        elif self._idle:
            block, _ = self._idle.popitem(last=False)
            del self._block_of[self._hash_of.pop(block)]
        else:
            return None
        self._n_holders[block] = 1
        return block

    def share(self, block: int) -> None:
        """Add a holder to a block that is held or cached."""
        if self._n_holders[block] == 0:
            del self._idle[block]
        self._n_holders[block] += 1

    def release(self, block: int) -> None:
        """Take a holder away; without any the block is free."""
        n_holders = self._n_holders[block] - 1
        if n_holders < 0:
            raise ValueError(f"block {block} is released, but nobody holds it")
        self._n_holders[block] = n_holders
        if n_holders == 0:
            if block in self._hash_of:
                self._idle[block] = None
            else:
                self._empty.append(block)

    def release_all(self, blocks: list[int]) -> None:
        """Release a sequence's blocks and empty the list.

        The last first: of a cached text the end is forgotten before the beginning, without which
        it would be of no use.
        """
        while blocks:
            self.release(blocks.pop())

    def is_shared(self, block: int) -> bool:
        """Return whether writing to the block would disturb another holder."""
        return self._n_holders[block] > 1

    def publish(self, block: int, content: bytes) -> None:
        """Make a full block known by its hash; a text that is cached already stays where it is."""
        if content not in self._block_of and block not in self._hash_of:
            self._block_of[content] = block
            self._hash_of[block] = content

    def forget(self, block: int) -> None:
        """Make the content of a held block unknown, so that nobody else will build on it."""
        if block in self._hash_of:
            del self._block_of[self._hash_of.pop(block)]

    def cached_prefix(self, hashes: Sequence[bytes]) -> list[int]:
        """Return the blocks of the longest prefix of `hashes` that is cached; nobody's yet."""
        found = []
        for content in hashes:
            block = self._block_of.get(content)
            if block is None:
                break
            found.append(block)
        return found

    def n_idle_of(self, blocks: Sequence[int]) -> int:
        """Return how many of these cached blocks count as free now."""
        return sum(self._n_holders[block] == 0 for block in blocks)

    def forget_cached(self) -> None:
        """Forget all cached content (the weights have changed, say); holders keep their blocks."""
        self._empty.extend(self._idle)
        self._idle.clear()
        self._block_of.clear()
        self._hash_of.clear()

    def check(self, holders: Sequence[Sequence[int]]) -> None:
        """Raise AssertionError unless the books are right for these block tables of all holders."""
        counted = [0] * self.n_blocks
        for table in holders:
            assert len(set(table)) == len(table), f"a sequence holds a block twice: {table}"
            for block in table:
                counted[block] += 1
        assert counted == self._n_holders, "holders and reference counts differ"
        free = [*self._empty, *self._idle]
        assert len(set(free)) == len(free), "a block is free twice"
        assert set(free) == {b for b, n in enumerate(counted) if n == 0}, "a block is lost"
        assert set(self._idle) <= set(self._hash_of), "a cached block has no content"
        assert not set(self._empty) & set(self._hash_of), "an empty block is known by a content"
        assert {b: c for c, b in self._block_of.items()} == self._hash_of, "hashes do not match"
