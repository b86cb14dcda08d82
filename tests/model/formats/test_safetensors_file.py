"""The safetensors header: equal to the safetensors package on whole files, UserError on lies."""

import json
import struct

import pytest
import safetensors
import safetensors.torch
import torch

from herd.foundation import UserError
from herd.model.formats.safetensors_file import open_safetensors

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8)


def _file(tmp_path, header, data=bytes(64)):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


def _one(**changes):
    return {"t": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]} | changes}


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_come_out_as_the_safetensors_package_put_them_in(tmp_path, dtype):
    tensors = {"a": torch.randn(3, 4).to(dtype), "b": torch.ones(5).to(dtype), "c": torch.zeros(0)}
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    file = open_safetensors(path)
    assert set(file.tensors) == set(tensors)
    for name, tensor in tensors.items():
        assert torch.equal(file.read(name), tensor) and file.read(name).dtype == tensor.dtype


def test_a_tensor_at_an_odd_place_is_read_all_the_same(tmp_path):
    header = json.dumps(_one(data_offsets=[1, 17])).encode()
    data = b"\xff" + struct.pack("<4f", 1, 2, 3, 4)
    file = open_safetensors(_file(tmp_path, header, data))
    assert file.read("t").tolist() == [[1, 2], [3, 4]]


def test_training_what_was_read_leaves_the_file_alone(tmp_path):
    path = _file(tmp_path, _one())
    before = path.read_bytes()
    open_safetensors(path).read("t").add_(1.0)
    assert path.read_bytes() == before


LIES = {
    "no object": b"[]",
    "no JSON": b"\xff\xfe{",
    "nested deep": b'{"a":' + b"[" * 100_000,
    "huge number": b'{"a":' + b"9" * 10_000 + b"}",
    "entry is no object": {"t": 3},
    "entry lacks offsets": {"t": {"dtype": "F32", "shape": [4]}},
    "unknown dtype": _one(dtype="F3"),
    "dtype no string": _one(dtype=[]),
    "negative shape": _one(shape=[-2, -2]),
    "shape a string": _one(shape="22"),
    "shape of truth values": _one(shape=[True, 4], data_offsets=[0, 16]),
    "shape too large": _one(shape=[2**40, 2**40]),
    "a hundred dimensions": _one(shape=[1] * 99 + [4]),
    "offsets reversed": _one(data_offsets=[16, 0]),
    "offsets of another size": _one(data_offsets=[0, 12]),
    "offsets past the end": _one(data_offsets=[1000, 1016]),
    "offsets of 4,000 digits": _one(data_offsets=[0, int("9" * 4000)]),
    "three offsets": _one(data_offsets=[0, 8, 16]),
    "overlap": {
        "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
        "b": {"dtype": "F32", "shape": [4], "data_offsets": [12, 28]},
    },
    "a name twice": b'{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
    b'"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
}


@pytest.mark.parametrize("header", LIES.values(), ids=LIES.keys())
def test_a_lying_header_is_a_user_error_in_one_line_that_names_the_file(tmp_path, header):
    path = _file(tmp_path, header)
    with pytest.raises(UserError) as caught:
        open_safetensors(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("length", [0, 1, 7, 2**40, 2**63, 2**64 - 1])
def test_a_header_length_that_lies_is_a_user_error(tmp_path, length):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(UserError, match=str(path)):
        open_safetensors(path)


def test_every_truncation_of_a_file_is_a_user_error(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file({"a": torch.randn(3, 4), "b": torch.ones(5)}, path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError):
            open_safetensors(path)


def test_what_we_refuse_the_safetensors_package_refuses_too(tmp_path):
    stricter = {"shape of truth values", "a hundred dimensions", "a name twice"}
    for name, header in LIES.items():
        if name in stricter:
            continue
        with (
            pytest.raises(safetensors.SafetensorError),
            safetensors.safe_open(_file(tmp_path, header), "pt"),
        ):
            pass
