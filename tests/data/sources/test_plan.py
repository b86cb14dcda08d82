"""Reading by tasks is reading, whatever the tasks; archives, web archives and URLs among files."""

import gzip
import io
import json
import tarfile
import zipfile

import pyarrow
import pyarrow.parquet
import pytest

from herd.data import SourceConfig, Tally, read_documents
from herd.data.sources import plan, plan_reading, read_task
from herd.foundation import UserError


def by_tasks(sources, pages="text"):
    tally = Tally()
    tasks = plan_reading(sources, tally)
    return [d for task in tasks for d in read_task(task, sources, tally, pages=pages)], tally, tasks


@pytest.fixture
def folder(tmp_path):
    for n in range(7):
        rows = [{"text": f"row {n}.{i} naïve", "url": f"u{i}", "n": i} for i in range(50)]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / f"{n}.jsonl").write_text(lines)
        table = pyarrow.table({"text": [row["text"] for row in rows], "n": list(range(50))})
        pyarrow.parquet.write_table(table, tmp_path / f"{n}.parquet", row_group_size=9)
    return tmp_path


@pytest.mark.parametrize(
    ("task_bytes", "split_bytes"), [(1 << 30, 1 << 30), (1, 1 << 30), (1, 300)]
)
def test_all_tasks_in_order_read_what_one_reading_does(
    folder, monkeypatch, task_bytes, split_bytes
):
    monkeypatch.setattr(plan, "TASK_BYTES", task_bytes)
    monkeypatch.setattr(plan, "SPLIT_BYTES", split_bytes)
    sources = [SourceConfig(location=str(folder), meta_fields=("url",))]
    found, _, tasks = by_tasks(sources)
    assert [d.text for d in found] == [
        f"row {n}.{i} naïve" for n in range(7) for _ in (".jsonl", ".parquet") for i in range(50)
    ]
    assert len({d.name for d in found}) == len(found)
    assert found == list(read_documents(sources, Tally()))
    assert len(tasks) == 1 if task_bytes > 1 else len(tasks) >= 14
    assert found[3].meta == {"url": "u3"}


def test_a_file_that_changes_changes_its_task(folder):
    sources = [SourceConfig(location=str(folder))]
    before = plan_reading(sources, Tally())
    (folder / "0.jsonl").write_text('{"text": "other"}\n')
    assert plan_reading(sources, Tally()) != before


def test_two_sources_of_one_name_make_different_names(tmp_path):
    for place in ("a/texts", "b/texts", "c"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x.txt").write_text(place)
    sources = [
        SourceConfig(location=str(tmp_path / place)) for place in ("a/texts", "b/texts", "c")
    ]
    assert len({d.name for d in by_tasks(sources)[0]}) == 3
    assert [d.name for d in by_tasks(sources[2:])[0]] == ["x.txt"]


def test_a_source_labels_its_documents(tmp_path):
    (tmp_path / "x.txt").write_text("text")
    source = SourceConfig(location=str(tmp_path), language="en", topic="law")
    (document,) = by_tasks([source])[0]
    assert (document.language, document.meta["topic"]) == ("en", "law")


def test_pages_come_raw_when_asked_for(tmp_path):
    (tmp_path / "x.html").write_text("<p>text</p>")
    sources = [SourceConfig(location=str(tmp_path))]
    assert [(d.kind, d.text) for d in by_tasks(sources, "raw")[0]] == [("page", "<p>text</p>")]
    assert [(d.kind, d.text) for d in by_tasks(sources)[0]] == [("prose", "text")]


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "pack"), [("a.zip", zip_of), ("a.tar.gz", tar_of), ("a.tgz", tar_of)]
)
def test_archives_among_files_are_read_in_place(tmp_path, name, pack):
    files = {"x.txt": b"one", "d/rows.jsonl": b'{"text": "two"}\n', "y.bin": b"\0", "in.zip": b""}
    (tmp_path / name).write_bytes(pack(files))
    (tmp_path / "z.txt").write_text("after")
    found, tally, _ = by_tasks([SourceConfig(location=str(tmp_path))])
    assert {d.name: d.text for d in found} == {
        f"{name}/x.txt": "one",
        f"{name}/d/rows.jsonl:1": "two",
        "z.txt": "after",
    }
    assert tally.counts["read", "archive inside an archive"] == 1


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.warc.gz", "a.parquet", "a.jsonl.zst"])
def test_a_damaged_file_is_named_and_the_rest_is_read(tmp_path, name, damage):
    whole = zip_of({"x.txt": bytes(range(32, 127)) * 99})
    (tmp_path / name).write_bytes(
        {"cut": whole[:-40], "garbage": b"\x1f\x8bgarbage" * 9, "empty": b""}[damage]
    )
    (tmp_path / "z.txt").write_text("after")
    found, _, _ = by_tasks([SourceConfig(location=str(tmp_path))])
    assert [d.text for d in found if d.name == "z.txt"] == ["after"]


def test_a_bomb_is_named_before_it_bursts(tmp_path, monkeypatch):
    from herd.data.sources import archive

    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1000)
    (tmp_path / "a.zip").write_bytes(zip_of({"x.txt": b"x" * 100_000}))
    (tmp_path / "b.tar.gz").write_bytes(tar_of({"x.txt": b"x" * 100_000}))
    found, tally, _ = by_tasks([SourceConfig(location=str(tmp_path))])
    assert found == []
    assert tally.counts["read", "archive beyond the bounds"] == 2


def record(url, body, *, kind="text/html", status="200 OK", extra=""):
    answer = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2023-05-17T10:00:00Z\r\n"
        f"{extra}Content-Type: application/http; msgtype=response\r\nContent-Length: {len(answer)}\r\n\r\n"
    )
    return head.encode() + answer + b"\r\n\r\n"


RECORDS = [
    record("https://a.org/1", b"<p>caf\xc3\xa9</p>"),
    record(
        "https://a.org/2", "<p>caf\xe9</p>".encode("latin-1"), kind="text/html; charset=iso-8859-1"
    ),
    record("https://a.org/3", b'<meta charset="windows-1251"><p>\xcf\xf0</p>'),
    record("https://a.org/4", b"\x89PNG", kind="image/png"),
    record("https://a.org/5", b"<p>gone</p>", status="404 Not Found"),
    record("https://a.org/6", b"<p>cut", extra="WARC-Truncated: length\r\n"),
    record("https://a.org/7", b"plain", kind="text/plain"),
]


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_a_web_archive_gives_its_pages(tmp_path, name):
    data = b"".join(map(gzip.compress, RECORDS)) if name.endswith("gz") else b"".join(RECORDS)
    (tmp_path / name).write_bytes(data)
    found, tally, _ = by_tasks([SourceConfig(location=str(tmp_path))], "raw")
    texts = {d.meta["url"][-1]: d.text for d in found}
    assert texts == {
        "1": "<p>café</p>",
        "2": "<p>café</p>",
        "3": '<meta charset="windows-1251"><p>Пр</p>',
        "7": "plain",
    }
    assert found[0].meta["date"] == "2023-05-17T10:00:00Z"
    assert [d.kind for d in found] == ["page", "page", "page", "prose"]
    assert tally.counts["read", "truncated page"] == 1


def test_a_web_archive_that_breaks_off_gives_what_came_before(tmp_path):
    data = b"".join(map(gzip.compress, RECORDS))
    (tmp_path / "a.warc.gz").write_bytes(data[: len(gzip.compress(RECORDS[0])) + 60])
    found, tally, _ = by_tasks([SourceConfig(location=str(tmp_path))])
    assert [d.text for d in found] == ["café"]


def test_any_file_system_that_fsspec_knows_is_read(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe(
        {"/crawl/b.txt": b"two", "/crawl/a/x.jsonl": b'{"text": "one"}\n', "/other.txt": b"no"}
    )
    found, _, _ = by_tasks([SourceConfig(location="memory://crawl")])
    assert {d.name: d.text for d in found} == {"a/x.jsonl:1": "one", "b.txt": "two"}
    found, _, _ = by_tasks([SourceConfig(location="memory://crawl/*.txt")])
    assert {d.name: d.text for d in found} == {"b.txt": "two"}
    (tmp_path / "x.txt").write_text("three")
    found, _, _ = by_tasks([SourceConfig(location=f"file://{tmp_path}/x.txt")])
    assert [d.text for d in found] == ["three"]


@pytest.mark.parametrize("location", ["memory://nowhere", "nosuch://x", "file:///no/such/file"])
def test_a_url_where_nothing_is_is_one_line(location):
    with pytest.raises(UserError, match=location.partition("://")[0]):
        plan_reading([SourceConfig(location=location)], Tally())


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "in" / "x.txt").write_text("text")
    (tmp_path / "in" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "in" / "again.txt").symlink_to(tmp_path / "in" / "x.txt")
    found, tally, _ = by_tasks([SourceConfig(location=str(tmp_path / "in"))])
    assert [d.name for d in found] == ["again.txt", "x.txt"]
    assert tally.counts["read", "link out of the folder"] == 1
