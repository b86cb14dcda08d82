"""The books of the blocks: nothing lost, nothing given twice, what is cached found again."""

import random

import pytest

from herd.inference.block_pool import BlockPool, block_hash, blocks_for, root_hash

TEXT = list(range(16))


def chain(n_blocks: int, first: int = 0) -> list[bytes]:
    hashes = [root_hash()]
    for block in range(n_blocks):
        hashes.append(block_hash(hashes[-1], [first + block] * 16))
    return hashes[1:]


def allocated(pool: BlockPool, n_blocks: int) -> list[int]:
    blocks = [pool.allocate() for _ in range(n_blocks)]
    assert None not in blocks
    return [block for block in blocks if block is not None]


def test_a_hash_tells_tokens_their_order_what_is_before_them_and_the_salt_apart() -> None:
    seen = {
        block_hash(root_hash(), TEXT),
        block_hash(root_hash(), TEXT[::-1]),
        block_hash(block_hash(root_hash(), TEXT), TEXT),
        block_hash(root_hash("adapter"), TEXT),
    }
    assert len(seen) == 4
    assert block_hash(root_hash(), TEXT) == block_hash(root_hash(), tuple(TEXT))


@pytest.mark.parametrize(("n_tokens", "n_blocks"), [(0, 0), (1, 1), (16, 1), (17, 2), (160, 10)])
def test_tokens_need_whole_blocks(n_tokens: int, n_blocks: int) -> None:
    assert blocks_for(n_tokens) == n_blocks


def test_a_released_text_is_found_again_and_its_blocks_count_as_free() -> None:
    pool, hashes = BlockPool(4), chain(3)
    table = allocated(pool, 3)
    for block, content in zip(table, hashes, strict=True):
        pool.publish(block, content)
    kept = list(table)
    pool.release_all(table)
    assert (table, pool.n_free, pool.n_used) == ([], 4, 0)
    assert pool.cached_prefix(hashes) == kept
    assert pool.cached_prefix([*hashes[:1], *chain(2, first=9)]) == kept[:1]
    pool.check([])


def test_the_end_of_the_longest_unused_text_is_evicted_first() -> None:
    pool = BlockPool(4)
    old, new = chain(2), chain(2, first=5)
    for hashes in (old, new):
        table = allocated(pool, 2)
        for block, content in zip(table, hashes, strict=True):
            pool.publish(block, content)
        pool.release_all(table)
    found = pool.cached_prefix(old)
    pool.share(found[0])
    pool.release(found[0])  # used again: now the other text is the one unused for longest
    allocated(pool, 2)
    assert pool.cached_prefix(old) == found[:1]
    assert len(pool.cached_prefix(new)) == 1


def test_a_block_is_free_only_when_its_last_holder_is_gone() -> None:
    pool = BlockPool(1)
    (block,) = allocated(pool, 1)
    pool.share(block)
    assert pool.is_shared(block)
    pool.release(block)
    assert (pool.n_free, pool.allocate()) == (0, None)
    pool.release(block)
    assert pool.n_free == 1
    with pytest.raises(ValueError, match="nobody holds it"):
        pool.release(block)


def test_a_forgotten_block_is_not_found() -> None:
    pool, hashes = BlockPool(2), chain(1)
    table = allocated(pool, 1)
    pool.publish(table[0], hashes[0])
    pool.forget(table[0])
    assert pool.cached_prefix(hashes) == []
    pool.publish(table[0], hashes[0])
    pool.forget_cached()
    assert pool.cached_prefix(hashes) == []
    pool.check([table])


@pytest.mark.parametrize("seed", range(4))
def test_the_books_are_right_after_anything(seed: int) -> None:
    """Random holders allocate, share, publish and release, 3,000 times."""
    draw, pool = random.Random(seed), BlockPool(9)
    tables: list[list[int]] = []
    for _ in range(3_000):
        action = draw.random()
        if action < 0.4 and (block := pool.allocate()) is not None:
            tables.append([block])
            if draw.random() < 0.7:
                pool.publish(block, chain(1, first=draw.randrange(12))[0])
        elif action < 0.6 and (found := pool.cached_prefix(chain(1, first=draw.randrange(12)))):
            pool.share(found[0])
            tables.append(found)
        elif tables:
            pool.release_all(tables.pop(draw.randrange(len(tables))))
            tables = [table for table in tables if table]
        pool.check(tables)
    for table in tables:
        pool.release_all(table)
    pool.check([])
    assert pool.n_used == 0


def test_check_sees_a_block_that_is_lost_and_one_that_is_used_twice() -> None:
    pool = BlockPool(2)
    (block,) = allocated(pool, 1)
    with pytest.raises(AssertionError, match="differ"):
        pool.check([])
    with pytest.raises(AssertionError, match="twice"):
        pool.check([[block, block]])
