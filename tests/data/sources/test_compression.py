import bz2
import gzip
import io
import lzma

import pytest

from herd.data.sources.compression import BROKEN, open_decompressed, without_compression

zstandard = pytest.importorskip("zstandard")

CONTENT = b"".join(b"line %d\n" % i for i in range(50_000))
COMPRESS = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.compress,
    "": bytes,
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_the_content_comes_out(suffix):
    stream = open_decompressed(io.BytesIO(COMPRESS[suffix](CONTENT)), f"a.txt{suffix}")
    assert stream.read() == CONTENT
    assert without_compression(f"a.txt{suffix}") == "a.txt"


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2", ".zst"])
def test_files_end_to_end_are_read_to_the_last(suffix):
    twice = COMPRESS[suffix](CONTENT) + COMPRESS[suffix](b"more")
    assert open_decompressed(io.BytesIO(twice), f"a{suffix}").read() == CONTENT + b"more"


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2", ".zst"])
@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_truncated_file_is_not_taken_for_a_whole_one(suffix, keep):
    data = COMPRESS[suffix](CONTENT)
    with pytest.raises(BROKEN):
        open_decompressed(io.BytesIO(data[: int(len(data) * keep)]), f"a{suffix}").read()


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2", ".zst"])
def test_what_is_not_compressed_at_all_is_refused(suffix):
    with pytest.raises(BROKEN):
        open_decompressed(io.BytesIO(b"plain text, no archive"), f"a{suffix}").read()


def test_a_bomb_is_read_a_piece_at_a_time():
    import tracemalloc

    bomb = zstandard.compress(bytes(300 << 20))
    assert len(bomb) < 1 << 17
    tracemalloc.start()
    stream = open_decompressed(io.BytesIO(bomb), "a.zst")
    n_bytes = sum(len(piece) for piece in iter(lambda: stream.read(1 << 20), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_bytes == 300 << 20
    assert peak < 64 << 20
