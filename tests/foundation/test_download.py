import errno
import hashlib
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from herd.foundation import UserError, download, http_transfer

CONTENT = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class FileServer(ThreadingHTTPServer):
    """One file with ranges and an ETag; breaks off after the byte counts in `cuts`, one a request."""

    daemon_threads = True

    def __init__(self, content=CONTENT, etag='"one"', cuts=(), status=200, ranges=True):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.etag, self.cuts = content, etag, list(cuts)
        self.status, self.ranges, self.requested = status, ranges, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/file.bin"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range", "")
        server.requested.append(wanted)
        fresh = self.headers.get("If-Range", server.etag) == server.etag
        start = int(wanted[len("bytes=") : -1]) if wanted and fresh and server.ranges else 0
        if server.status != 200:
            return self.send_error(server.status)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-/{len(server.content)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else len(server.content)
        self.wfile.write(server.content[start : start + cut])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setattr(http_transfer, "RETRY_WAIT_S", 0.0)
    monkeypatch.setattr(http_transfer, "CHUNK_BYTES", 1 << 14)
    servers = []

    def start(**behaviour):
        server = FileServer(**behaviour)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def names_in(directory):
    return sorted(path.name for path in Path(directory).iterdir())


def test_a_file_arrives_whole_and_alone(serve, tmp_path):
    path = download(serve().url, tmp_path / "deep" / "file.bin", sha256=DIGEST)
    assert path.read_bytes() == CONTENT
    assert names_in(path.parent) == ["file.bin"]


def test_a_cut_connection_is_resumed_where_it_stopped(serve, tmp_path):
    server = serve(cuts=[300_000, 200_000])
    path = download(server.url, tmp_path / "file.bin", sha256=DIGEST)
    assert path.read_bytes() == CONTENT
    starts = [int(wanted[6:-1] or 0) if wanted else 0 for wanted in server.requested]
    assert starts[0] == 0 < starts[1] <= 300_000 < starts[2] <= 500_000


def test_a_later_call_goes_on_with_what_an_earlier_one_left(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(http_transfer, "MAX_FRUITLESS_ATTEMPTS", 1)
    server = serve(cuts=[400_000, 0])
    with pytest.raises(UserError, match="kept and will be resumed"):
        download(server.url, tmp_path / "file.bin")
    assert not (tmp_path / "file.bin").exists()
    assert download(server.url, tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.requested[-1] not in ("", "bytes=0-")
    assert names_in(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("etag", ['"two"', 'W/"weak"', ""])
def test_parts_of_different_versions_are_never_spliced(serve, tmp_path, etag):
    (tmp_path / "file.bin.part").write_bytes(b"old" * 1000)
    (tmp_path / "file.bin.part.validator").write_text('"one"')
    path = download(serve(etag=etag).url, tmp_path / "file.bin")
    assert path.read_bytes() == CONTENT


def test_a_wrong_part_without_validator_is_found_out_by_the_digest(serve, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"wrong" * 100)
    path = download(serve(etag="").url, tmp_path / "file.bin", sha256=DIGEST)
    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(serve, tmp_path):
    server = serve(cuts=[300_000], ranges=False)
    assert download(server.url, tmp_path / "file.bin", sha256=DIGEST).read_bytes() == CONTENT


def test_a_digest_mismatch_leaves_nothing(serve, tmp_path):
    with pytest.raises(UserError, match="expected 000"):
        download(serve().url, tmp_path / "file.bin", sha256="0" * 64)
    assert names_in(tmp_path) in ([], ["file.bin.lock"])


def test_a_file_with_the_right_digest_is_not_fetched_again(serve, tmp_path):
    server = serve()
    (tmp_path / "file.bin").write_bytes(CONTENT)
    download(server.url, tmp_path / "file.bin", sha256=DIGEST)
    assert server.requested == []


def test_offline_is_one_clear_line(tmp_path):
    with FileServer() as server:
        url = server.url
    with pytest.raises(UserError, match=r"127\.0\.0\.1: cannot be reached .*check the connection"):
        download(url, tmp_path / "file.bin")
    assert not (tmp_path / "file.bin").exists()


def test_a_refusal_names_the_status(serve, tmp_path):
    with pytest.raises(UserError, match="404"):
        download(serve(status=404).url, tmp_path / "file.bin")


def test_a_disk_too_small_is_refused_before_writing(serve, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(http_transfer.shutil, "disk_usage", lambda _: usage(1000, 900, 100))
    with pytest.raises(UserError, match="disk is full"):
        download(serve().url, tmp_path / "file.bin")
    assert "file.bin" not in names_in(tmp_path)
    assert "file.bin.part" not in names_in(tmp_path)


def test_a_disk_filling_up_half_way_leaves_nothing(serve, tmp_path, monkeypatch):
    def copy_some_then_fail(chunks, out, progress):
        out.write(next(chunks))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(http_transfer, "_copy", copy_some_then_fail)
    with pytest.raises(UserError, match="disk is full"):
        download(serve().url, tmp_path / "file.bin")
    assert names_in(tmp_path) in ([], ["file.bin.lock"])


def test_a_second_process_is_told_to_wait(serve, tmp_path):
    with (
        FileLock(tmp_path / "file.bin.lock", is_singleton=False),
        pytest.raises(UserError, match="another process"),
    ):
        download(serve().url, tmp_path / "file.bin")


def test_a_file_url_is_copied(tmp_path):
    source = tmp_path / "a file.bin"
    source.write_bytes(CONTENT)
    target = download(source.as_uri(), tmp_path / "copy.bin", sha256=DIGEST)
    assert target.read_bytes() == CONTENT


def test_another_scheme_is_refused(tmp_path):
    with pytest.raises(UserError, match="http, https or file"):
        download("ftp://host/file", tmp_path / "file")
