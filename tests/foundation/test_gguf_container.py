"""The GGUF header parser: equal to the gguf package on whole files, UserError on lying ones."""

import os
import struct
import tracemalloc

import gguf
import numpy as np
import pytest

from herd.foundation import UserError, read_gguf


def _string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _header(n_tensors=0, n_keys=0, version=3):
    return b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys)


def _tensor(name, dims, kind=0, offset=0):
    dims_raw = struct.pack(f"<{len(dims)}Q", *dims)
    return (
        _string(name) + struct.pack("<I", len(dims)) + dims_raw + struct.pack("<IQ", kind, offset)
    )


def _write(tmp_path, raw):
    path = tmp_path / "x.gguf"
    path.write_bytes(raw)
    return path


def _sample(path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("a.uint32", 2**32 - 1)
    writer.add_int64("a.int64", -(2**63))
    writer.add_float32("a.float", 0.5)
    writer.add_bool("a.bool", True)
    writer.add_string("a.string", "d\u00e9j\u00e0 vu \U0001f40f")
    writer.add_array("a.strings", ["x", "", "\u00e9"])
    writer.add_array("a.floats", [1.5, -2.0])
    writer.add_array("a.ints", [1, 2, 3])
    rng = np.random.default_rng(0)
    writer.add_tensor("matrix", rng.standard_normal((3, 32), dtype=np.float32))
    writer.add_tensor("vector", np.arange(7, dtype=np.float16))
    quantized = gguf.quants.quantize(
        rng.standard_normal((2, 64), dtype=np.float32), gguf.GGMLQuantizationType.Q8_0
    )
    writer.add_tensor("blocks", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_whole_file_reads_as_the_gguf_package_reads_it(tmp_path):
    path = _sample(tmp_path / "whole.gguf")
    ours, reference = read_gguf(path), gguf.GGUFReader(path)
    theirs = {k: f.contents() for k, f in reference.fields.items() if not k.startswith("GGUF.")}
    assert ours.metadata == theirs
    assert list(ours.tensors) == [tensor.name for tensor in reference.tensors]
    for tensor in reference.tensors:
        mine = ours.tensors[tensor.name]
        assert mine.type == tensor.tensor_type.name
        assert mine.shape == tuple(int(n) for n in reversed(tensor.shape))
        assert ours.tensor_bytes(tensor.name).tobytes() == tensor.data.tobytes()


def test_writing_into_a_tensors_bytes_leaves_the_file_as_it_was(tmp_path):
    path = _sample(tmp_path / "whole.gguf")
    before = path.read_bytes()
    read_gguf(path).tensor_bytes("matrix")[:] = 7
    assert path.read_bytes() == before


def test_version_2_is_read_like_version_3(tmp_path):
    raw = bytearray(_sample(tmp_path / "whole.gguf").read_bytes())
    raw[4:8] = struct.pack("<I", 2)
    assert read_gguf(_write(tmp_path, raw)).metadata["a.bool"] is True


ONE_KEY = _string("k")
NESTED = struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 50

LIES = {
    "empty file": b"",
    "only the magic": b"GGUF",
    "another format": b"PK\x03\x04" + bytes(100),
    "version 1": _header(version=1),
    "version 99": _header(version=99),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "2^60 tensors": _header(n_tensors=2**60),
    "2^60 keys": _header(n_keys=2**60),
    "tensors that are not there": _header(n_tensors=5),
    "key of 2^63 bytes": _header(n_keys=1) + struct.pack("<Q", 2**63) + bytes(64),
    "key past the end": _header(n_keys=1) + struct.pack("<Q", 1000) + bytes(64),
    "key not UTF-8": _header(n_keys=1) + struct.pack("<Q", 2) + b"\xff\xfe" + bytes(64),
    "same key twice": _header(n_keys=2) + (ONE_KEY + struct.pack("<IB", 7, 1)) * 2,
    "unknown value type": _header(n_keys=1) + ONE_KEY + struct.pack("<I", 77) + bytes(64),
    "string of 2^62 bytes": _header(n_keys=1) + ONE_KEY + struct.pack("<IQ", 8, 2**62) + bytes(9),
    "array of 2^61 items": _header(n_keys=1) + ONE_KEY + struct.pack("<IIQ", 9, 4, 2**61),
    "array past the end": _header(n_keys=1) + ONE_KEY + struct.pack("<IIQ", 9, 4, 1000) + bytes(9),
    "array of unknown items": _header(n_keys=1)
    + ONE_KEY
    + struct.pack("<IIQ", 9, 50, 3)
    + bytes(9),
    "arrays nested deep": _header(n_keys=1) + ONE_KEY + NESTED,
    "no dimensions": _header(1) + _tensor("t", []) + bytes(64),
    "nine dimensions": _header(1) + _tensor("t", [1] * 9) + bytes(64),
    "a dimension of 0": _header(1) + _tensor("t", [0, 4]) + bytes(64),
    "dimensions that overflow": _header(1) + _tensor("t", [2**32, 2**32, 2]) + bytes(64),
    "unknown tensor type": _header(1) + _tensor("t", [4], kind=4) + bytes(64),
    "half a block": _header(1) + _tensor("t", [33], kind=8) + bytes(128),
    "offset past the end": _header(1) + _tensor("t", [4], offset=2**63) + bytes(64),
    "offset unaligned": _header(1) + _tensor("t", [4], offset=5) + bytes(64),
    "same name twice": _header(2) + _tensor("t", [4]) + _tensor("t", [4], offset=32) + bytes(128),
    "overlap": _header(2) + _tensor("a", [32]) + _tensor("b", [4], offset=32) + bytes(256),
    "alignment 0": _header(n_keys=1) + _string("general.alignment") + struct.pack("<II", 4, 0),
    "alignment 2^31": _header(n_keys=1)
    + _string("general.alignment")
    + struct.pack("<II", 4, 2**31),
    "alignment a word": _header(n_keys=1)
    + _string("general.alignment")
    + struct.pack("<I", 8)
    + _string("x"),
}


@pytest.mark.parametrize("raw", LIES.values(), ids=LIES.keys())
def test_a_lying_header_is_a_user_error_in_one_line_that_names_the_file(tmp_path, raw):
    path = _write(tmp_path, raw)
    tracemalloc.start()
    with pytest.raises(UserError) as caught:
        read_gguf(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert peak_bytes < 1 << 20


def test_every_truncation_of_a_file_is_a_user_error(tmp_path):
    whole = _sample(tmp_path / "whole.gguf").read_bytes()
    end_of_data = max(
        t.offset + t.n_bytes for t in read_gguf(tmp_path / "whole.gguf").tensors.values()
    )
    for length in range(end_of_data):
        with pytest.raises(UserError):
            read_gguf(_write(tmp_path, whole[:length]))


def test_a_directory_a_pipe_and_a_missing_file_are_user_errors(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "absent.gguf"):
        with pytest.raises(UserError):
            read_gguf(path)
