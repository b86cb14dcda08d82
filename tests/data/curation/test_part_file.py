"""Documents on disk: what is written comes back, and any tool can read it."""

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.data import Document
from herd.data.curation import part_file
from herd.data.curation.part_file import PartWriter, n_bytes_of, read_part
from herd.foundation import UserError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
DOCUMENTS = st.lists(
    st.builds(
        Document,
        text=TEXT,
        source=TEXT,
        name=TEXT,
        language=TEXT,
        kind=st.sampled_from(["prose", "code", "page"]),
        meta=st.dictionaries(TEXT, TEXT, max_size=3),
    ),
    max_size=20,
)


def written(documents, path):
    writer = PartWriter(path)
    writer.write(documents)
    writer.close()
    return path


@settings(max_examples=50, deadline=None)
@given(DOCUMENTS)
def test_documents_come_back_as_they_were(tmp_path_factory, documents):
    path = written(documents, tmp_path_factory.mktemp("part") / "part.parquet")
    assert [one for batch in read_part(path) for one in batch] == documents


def test_a_batch_ends_when_it_is_long_enough(tmp_path, make_documents, monkeypatch):
    monkeypatch.setattr(part_file, "BATCH_BYTES", 100)
    documents = make_documents(50)
    batches = list(read_part(written(documents, tmp_path / "part.parquet")))
    sizes = [sum(n_bytes_of(one.text) for one in batch) for batch in batches]
    assert len(batches) > 5
    assert all(100 <= size < 200 for size in sizes[:-1])
    assert [one for batch in batches for one in batch] == documents


def test_other_tools_see_plain_columns(tmp_path, make_documents):
    table = pyarrow.parquet.read_table(written(make_documents(3), tmp_path / "part.parquet"))
    assert table.column_names == ["name", "source", "language", "kind", "meta", "text"]
    assert table.column("meta").to_pylist() == ['{"url": "u0"}', '{"url": "u1"}', '{"url": "u2"}']


@pytest.mark.parametrize("damage", ["truncated", "garbage", "absent", "another table"])
def test_a_damaged_part_is_named(tmp_path, make_documents, damage):
    path = written(make_documents(30), tmp_path / "part.parquet")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "garbage":
        path.write_bytes(b"\0" * 100)
    elif damage == "absent":
        path.unlink()
    else:
        pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), path)
    with pytest.raises(UserError, match=r"part\.parquet"):
        list(read_part(path))


@pytest.mark.parametrize("text", ["", "plain", "naïve", "\N{GRINNING FACE}"])
def test_the_length_is_that_of_utf_8(text):
    assert n_bytes_of(text) == len(text.encode())
