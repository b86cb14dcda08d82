"""Shards put together are as if packed in one go."""

import pytest

from herd.data import Document, ShardReader, pack
from herd.data.merge_shards import merge_shards
from herd.foundation import UserError

DOCUMENTS = [Document(text=f"text {n} " * (n + 1), source="s", name=f"d{n}") for n in range(12)]


@pytest.mark.parametrize("sizes", [(12,), (1, 11), (4, 4, 4), (3, 1, 7, 1)])
def test_merged_shards_equal_one(tmp_path, tokenizer, sizes):
    whole = pack(DOCUMENTS, tokenizer, tmp_path / "whole")
    parts, start = [], 0
    for number, size in enumerate(sizes):
        pack(DOCUMENTS[start : start + size], tokenizer, tmp_path / f"{number}")
        parts.append(tmp_path / f"{number}")
        start += size
    assert merge_shards(parts, tmp_path / "merged") == whole
    reader = ShardReader(tmp_path / "merged")
    reader.verify()
    assert (tmp_path / "merged/tokens.bin").read_bytes() == (
        tmp_path / "whole/tokens.bin"
    ).read_bytes()


def test_shards_of_two_tokenizers_are_refused(tmp_path, make_tokenizer):
    for size in (257, 300):
        pack(DOCUMENTS, make_tokenizer(size), tmp_path / f"{size}")
    with pytest.raises(UserError, match="another tokenizer"):
        merge_shards([tmp_path / "257", tmp_path / "300"], tmp_path / "merged")
    with pytest.raises(UserError, match="no shard"):
        merge_shards([], tmp_path / "merged")
