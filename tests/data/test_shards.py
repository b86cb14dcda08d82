import errno
import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from herd.data import Document, ShardReader, pack, shard_writer
from herd.foundation import UserError

TEXTS = ["Good night, good night!", "", "Parting is such sweet sorrow", "é" * 9]


def documents(texts=TEXTS):
    return [Document(text=text, source="s", name=f"s/{i}") for i, text in enumerate(texts)]


@pytest.fixture
def shard(tmp_path, tokenizer):
    pack(documents(), tokenizer, tmp_path / "shard", statistics={"kept": 4})
    return tmp_path / "shard"


def edit_index(shard, **changes):
    path = shard / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_documents_come_back_in_order_each_closed_by_the_end_of_text_id(shard, tokenizer):
    reader = ShardReader(shard, tokenizer_fingerprint=tokenizer.fingerprint)
    for i, text in enumerate(TEXTS):
        start, stop = reader.document_offsets[i : i + 2]
        *ids, end = reader.tokens(start, stop).tolist()
        assert bytes(ids).decode() == text
        assert end == tokenizer.eos_id
        assert reader.document_at(start) == reader.document_at(stop - 1) == f"s/{i}"


def test_totals_count_bytes_of_text_and_tokens_with_their_ends(shard):
    reader = ShardReader(shard)
    n_bytes = sum(len(text.encode()) for text in TEXTS)
    assert (reader.n_bytes, reader.n_tokens) == (n_bytes, n_bytes + len(TEXTS))
    assert reader.n_documents == len(TEXTS)
    assert reader.index.statistics == {"kept": 4}
    reader.verify()


@pytest.mark.parametrize(("vocab_size", "dtype"), [(1 << 16, "<u2"), ((1 << 16) + 1, "<u4")])
def test_ids_take_two_bytes_while_the_vocabulary_allows(
    tmp_path, make_tokenizer, vocab_size, dtype
):
    tokenizer = make_tokenizer(vocab_size)
    pack(documents(), tokenizer, tmp_path / "shard")
    raw = np.fromfile(tmp_path / "shard" / "tokens.bin", dtype=dtype)
    assert raw[-1] == tokenizer.eos_id == vocab_size - 1
    assert ShardReader(tmp_path / "shard").tokens(0, raw.size).tolist() == raw.tolist()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_any_text_survives(tmp_path, tokenizer, texts):
    pack(documents(texts), tokenizer, tmp_path / "any", replace=True)
    reader = ShardReader(tmp_path / "any")
    bounds = zip(reader.document_offsets, reader.document_offsets[1:], strict=False)
    found = [bytes(reader.tokens(a, b - 1).tolist()).decode() for a, b in bounds]
    assert found == texts


def test_grouping_changes_nothing(tmp_path, tokenizer, monkeypatch):
    whole = pack(documents(), tokenizer, tmp_path / "whole")
    monkeypatch.setattr(shard_writer, "ENCODE_BATCH_CHARS", 1)
    assert pack(documents(), tokenizer, tmp_path / "single") == whole


def test_another_tokenizer_is_refused(shard):
    with pytest.raises(UserError, match="packed with tokenizer"):
        ShardReader(shard, tokenizer_fingerprint="f" * 64)


def test_a_truncated_tokens_file_is_refused(shard):
    data = (shard / "tokens.bin").read_bytes()
    (shard / "tokens.bin").write_bytes(data[:-3])
    with pytest.raises(UserError, match="tokens.bin has .* bytes"):
        ShardReader(shard)


def test_changed_tokens_are_found_out_by_verify(shard):
    data = bytearray((shard / "tokens.bin").read_bytes())
    data[0] ^= 1
    (shard / "tokens.bin").write_bytes(data)
    with pytest.raises(UserError, match="SHA-256"):
        ShardReader(shard).verify()


def test_an_id_outside_the_vocabulary_is_refused_when_read(shard):
    data = bytearray((shard / "tokens.bin").read_bytes())
    data[0:2] = b"\xff\xff"
    (shard / "tokens.bin").write_bytes(data)
    with pytest.raises(UserError, match="id 65535 in a vocabulary of 257"):
        ShardReader(shard).tokens(0, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"dtype": "float64"},
        {"dtype": ["uint16"]},
        {"n_tokens": -1},
        {"n_tokens": 10**30},
        {"n_tokens": "64"},
        {"n_tokens": True},
        {"n_bytes": -5},
        {"vocab_size": 5},
        {"eos_id": 257},
        {"max_token_id": 257},
        {"document_offsets": []},
        {"document_offsets": [0, 5]},
        {"document_offsets": [0, 24, 24, 54, 73]},
        {"document_offsets": [0, 24.0, 25, 54, 73]},
        {"document_names": ["a"]},
        {"document_names": [1, 2, 3, 4]},
        {"statistics": 3},
        {"tokenizer_fingerprint": None},
    ],
)
def test_a_lying_index_is_refused(shard, changes):
    edit_index(shard, **changes)
    with pytest.raises(UserError, match=r"index\.json"):
        ShardReader(shard)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_mangled_index_is_refused_or_harmless(shard, data):
    path = shard / "index.json"
    if not (shard / "whole.json").exists():
        shutil.copy(path, shard / "whole.json")
    raw = bytearray((shard / "whole.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        reader = ShardReader(shard)
        reader.tokens(0, reader.n_tokens)
        reader.document_at(reader.n_tokens - 1)
    except UserError:
        pass


@pytest.mark.parametrize("missing", ["index.json", "tokens.bin"])
def test_a_missing_half_is_refused(shard, missing):
    (shard / missing).unlink()
    with pytest.raises(UserError, match="pack the data again"):
        ShardReader(shard)


def test_no_documents_is_a_mistake_and_leaves_nothing(tmp_path, tokenizer):
    with pytest.raises(UserError, match="no document"):
        pack([], tokenizer, tmp_path / "shard")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path, tokenizer):
    def some_then_full():
        yield from documents()
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match="no space left"):
        pack(some_then_full(), tokenizer, tmp_path / "shard")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_not_grow_leaves_nothing(tmp_path, tokenizer):
    """The operating system's own refusal, in the middle of a write."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(UserError, match="no space left"):
            pack(documents(["word " * 9000]), tokenizer, tmp_path / "shard")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_without_end_of_text_is_refused(tmp_path, tokenizer):
    tokenizer.eos_id = None
    with pytest.raises(UserError, match="no end-of-text"):
        pack(documents(), tokenizer, tmp_path / "shard")


def test_an_id_beyond_the_vocabulary_is_refused_when_packing(tmp_path, tokenizer):
    tokenizer.vocab_size = 100
    with pytest.raises(UserError, match="do not belong together"):
        pack(documents(), tokenizer, tmp_path / "shard")
    assert list(tmp_path.iterdir()) == []


def test_documents_stream_through_without_being_kept(tmp_path, tokenizer):
    """Packing 20 MB of text may not hold much more than a group of documents."""
    import tracemalloc

    text = "word " * 50_000

    def many():
        for i in range(80):
            yield Document(text=text, source="s", name=f"s/{i}")

    tracemalloc.start()
    index = pack(many(), _FastTokenizer(tokenizer), tmp_path / "shard")
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert index.n_bytes == 80 * len(text)
    assert peak_bytes < 24e6


class _FastTokenizer:
    def __init__(self, plain):
        self.vocab_size, self.eos_id = plain.vocab_size, plain.eos_id
        self.fingerprint = plain.fingerprint

    def encode_batch(self, texts):
        return [np.frombuffer(text.encode(), dtype=np.uint8).tolist() for text in texts]
