import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from herd.data import Document, Loader, ShardReader, pack
from herd.foundation import UserError

FIELDS = ("tokens", "targets", "loss_mask", "segment", "position")


def make_reader(directory, tokenizer, lengths):
    texts = ["".join(chr(97 + (i + j) % 26) for j in range(n)) for i, n in enumerate(lengths)]
    named = [Document(text=text, source="s", name=f"s/{i}") for i, text in enumerate(texts)]
    pack(named, tokenizer, directory, replace=True)
    return ShardReader(directory)


@pytest.fixture
def reader(tmp_path, tokenizer):
    return make_reader(tmp_path / "shard", tokenizer, [30, 0, 1, 50, 7, 200, 3, 3, 90])


def stacked(loader, first, n):
    sequences = [loader.sequence_at(first + i) for i in range(n)]
    return {f: np.stack([getattr(s, f"{f}_T") for s in sequences]) for f in FIELDS}


def arrays(batch):
    return {f: getattr(batch, f"{f}_BT").numpy() for f in FIELDS}


def assert_equal(left, right):
    for field in FIELDS:
        np.testing.assert_array_equal(left[field], right[field], err_msg=field)


lengths = st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(lambda n: sum(n) > 20)
quick = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(lengths, st.integers(1, 20), st.integers(0, 99), st.integers(0, 200), st.integers(1, 9))
def test_a_batch_equals_its_sequences_cut_one_token_at_a_time(
    tmp_path, tokenizer, lengths, context, seed, first, n
):
    loader = Loader(make_reader(tmp_path / "s", tokenizer, lengths), context=context, seed=seed)
    assert_equal(arrays(loader.batch(first, n)), stacked(loader, first, n))


@quick
@given(st.sampled_from([1, 2, 3, 4, 6]), st.integers(0, 100), st.integers(1, 4))
def test_ranks_together_see_what_one_alone_would(reader, world_size, first, share):
    loader = Loader(reader, context=8, seed=3)
    n = world_size * share
    shares = [
        arrays(loader.batch(first, n, rank=r, world_size=world_size)) for r in range(world_size)
    ]
    joined = {f: np.concatenate([share[f] for share in shares]) for f in FIELDS}
    assert_equal(joined, arrays(loader.batch(first, n)))


@quick
@given(st.integers(0, 150), st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_resuming_needs_only_the_position(reader, first, steps):
    whole = arrays(Loader(reader, context=8, seed=3).batch(first, sum(steps)))
    parts, at = [], first
    for n in steps:  # a new loader each time, as after a restart
        parts.append(arrays(Loader(reader, context=8, seed=3).batch(at, n)))
        at += n
    assert_equal({f: np.concatenate([part[f] for part in parts]) for f in FIELDS}, whole)


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_each_epoch_shows_every_window_once(reader, epoch):
    loader = Loader(reader, context=8, seed=0)
    n = loader.sequences_per_epoch
    found = arrays(loader.batch(epoch * n, n))["tokens"]
    stream = reader.tokens(0, n * 8).reshape(n, 8)
    assert sorted(map(tuple, found)) == sorted(map(tuple, stream))


def test_epochs_and_seeds_have_different_orders(reader):
    def starts(seed, epoch):
        loader = Loader(reader, context=8, seed=seed)
        n = loader.sequences_per_epoch
        return tuple(map(tuple, arrays(loader.batch(epoch * n, n))["tokens"]))

    assert len({starts(0, 0), starts(0, 1), starts(1, 0)}) == 3


def test_the_end_of_a_document_is_predicted_and_the_next_one_is_not(tmp_path, tokenizer):
    reader = make_reader(tmp_path / "s", tokenizer, [3, 2, 3])
    batch = Loader(reader, context=10, seed=0).batch(0, 1)
    eos = tokenizer.eos_id
    a, b, c, d, e = (ord(letter) for letter in "abcde")
    assert batch.tokens_BT[0].tolist() == [a, b, c, eos, b, c, eos, c, d, e]
    assert batch.targets_BT[0].tolist() == [b, c, eos, b, c, eos, c, d, e, eos]
    assert batch.loss_mask_BT[0].int().tolist() == [1, 1, 1, 0, 1, 1, 0, 1, 1, 1]
    assert batch.segment_BT[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert batch.position_BT[0].tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1, 2]


def test_boundaries_come_from_offsets_not_from_the_end_of_text_id(tmp_path, tokenizer):
    tokenizer.encode_batch = lambda texts: [[tokenizer.eos_id, 5, tokenizer.eos_id] for _ in texts]
    pack([Document(text="x", source="s", name="s/0")], tokenizer, tmp_path / "s")
    batch = Loader(ShardReader(tmp_path / "s"), context=3, seed=0).batch(0, 1)
    assert batch.segment_BT.tolist() == [[0, 0, 0]]
    assert batch.loss_mask_BT.all()


def test_the_documents_of_a_batch_are_named(tmp_path, tokenizer):
    reader = make_reader(tmp_path / "s", tokenizer, [15, 15, 15, 15])
    loader = Loader(reader, context=16, seed=1)
    for i in range(8):
        start = loader._window_starts(i, 1)[0]
        assert loader.documents_in(i, 1) == [reader.document_at(start)]
    assert sorted(loader.documents_in(0, loader.sequences_per_epoch)) == ["s/0", "s/1", "s/2"]


def test_a_batch_has_the_types_that_models_expect(reader):
    batch = Loader(reader, context=8, seed=0).batch(0, 2)
    assert batch.tokens_BT.dtype == batch.targets_BT.dtype == torch.int64
    assert batch.segment_BT.dtype == batch.position_BT.dtype == torch.int64
    assert batch.loss_mask_BT.dtype == torch.bool
    assert batch.to("cpu").tokens_BT.shape == (2, 8)


@pytest.mark.parametrize(("context", "match"), [(0, "at least 1"), (10_000, "too few")])
def test_a_context_that_does_not_fit_is_refused(reader, context, match):
    with pytest.raises(UserError, match=match):
        Loader(reader, context=context, seed=0)


@pytest.mark.parametrize(("n", "rank", "world_size"), [(3, 0, 2), (4, 2, 2), (4, -1, 2)])
def test_ranks_that_cannot_share_equally_are_refused(reader, n, rank, world_size):
    with pytest.raises(UserError, match="multiple of the number of ranks"):
        Loader(reader, context=8, seed=0).batch(0, n, rank=rank, world_size=world_size)
