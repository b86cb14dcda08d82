"""`.pth` files: equal to torch.load on whole files; code, lies and bombs are UserErrors."""

import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections import OrderedDict

import pytest
import torch

from herd.foundation import UserError
from herd.model.formats.pickle_claims import read_claims
from herd.model.formats.torch_file import read_torch_file

MARKER = "a-pickle-ran-this"


class Runs:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def _save(tmp_path, value):
    path = tmp_path / "consolidated.00.pth"
    torch.save(value, path)
    return path


def _archive(tmp_path, pickled, storages=(), compression=zipfile.ZIP_STORED):
    path = tmp_path / "consolidated.00.pth"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/version", "3\n")
        archive.writestr("a/byteorder", "little")
        for key, data in storages:
            archive.writestr(f"a/data/{key}", data)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64])
def test_tensors_come_out_as_torch_saved_them(tmp_path, dtype):
    base = torch.arange(24).to(dtype)
    values = OrderedDict(
        whole=base,
        window=base.view(4, 6)[1:3, 2:],
        transposed=base.view(4, 6).T,
        scalar=base[3],
        empty=torch.empty(0, 4, dtype=dtype),
    )
    read = read_torch_file(_save(tmp_path, values))
    assert read.keys() == values.keys()
    for name, tensor in values.items():
        assert torch.equal(read[name], tensor) and read[name].dtype == dtype


def test_the_state_dict_of_a_module_is_read(tmp_path):
    layer = torch.nn.Linear(3, 2)
    read = read_torch_file(_save(tmp_path, layer.state_dict()))
    assert torch.equal(read["weight"], layer.weight)
    assert torch.equal(
        read_torch_file(_save(tmp_path, dict(layer.named_parameters())))["bias"], layer.bias
    )


@pytest.mark.parametrize(
    "function", [os.system, subprocess.check_output, eval, print, torch.load, getattr]
)
def test_a_pickle_with_code_in_it_is_a_user_error_and_does_not_run(tmp_path, function, capfd):
    path = _save(tmp_path, {"weight": torch.zeros(2), "x": Runs(function, f"echo {MARKER}")})
    with pytest.raises(UserError, match="would run") as caught:
        read_torch_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert MARKER not in capfd.readouterr().out


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_bare_pickle_is_a_user_error_and_does_not_run(tmp_path, protocol, capfd):
    path = tmp_path / "consolidated.00.pth"
    path.write_bytes(pickle.dumps(Runs(print, MARKER), protocol=protocol))
    with pytest.raises(UserError):
        read_torch_file(path)
    with pytest.raises(UserError):
        read_claims(path, path.read_bytes())
    assert MARKER not in capfd.readouterr().out


@pytest.mark.parametrize(
    "value",
    [
        [torch.zeros(1)],
        torch.zeros(1),
        {"a": 3},
        {"a": {"b": torch.zeros(1)}},
        {3: torch.zeros(1)},
        {"a": torch.zeros(1).to_sparse()},
        {"a": {1, 2}},
        torch.nn.Linear(2, 2),
    ],
    ids=["list", "tensor", "number", "nested", "numbered", "sparse", "set", "module"],
)
def test_anything_but_tensors_by_name_is_a_user_error(tmp_path, value):
    with pytest.raises(UserError, match=r"consolidated\.00\.pth"):
        read_torch_file(_save(tmp_path, value))


def test_tuples_that_double_with_every_line_are_refused_at_once(tmp_path):
    # Each level holds the last one twice: hashing 60 levels as a key would take 2^60 steps.
    doubling = b"\x80\x02}" + b"K\x01\x85q\x00" + b"0h\x00h\x00\x86q\x00" * 60 + b"0h\x00K\x01s."
    with pytest.raises(UserError):
        read_torch_file(_archive(tmp_path, doubling))


def _claim(shape, strides, offset=0, items=4, key="0"):
    """The pickle of {"t": tensor} with the numbers given, by hand."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=2)
    stands_for_storage = object()
    pickler.persistent_id = lambda value: (
        ("storage", torch.FloatStorage, key, "cpu", items) if value is stands_for_storage else None
    )
    arguments = (stands_for_storage, offset, shape, strides, False, OrderedDict())
    pickler.dump({"t": Runs(torch._utils._rebuild_tensor_v2, *arguments)})
    return buffer.getvalue()


STORAGE = [("0", struct.pack("<4f", 1, 2, 3, 4))]


def test_a_pickle_made_by_hand_is_read_when_it_tells_the_truth(tmp_path):
    path = _archive(tmp_path, _claim((2, 2), (2, 1)), STORAGE)
    assert read_torch_file(path)["t"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "claim",
    [
        {"shape": (2**40,), "strides": (1,)},
        {"shape": (2**40, 2**40), "strides": (1, 1)},
        {"shape": (2**40,), "strides": (0,)},
        {"shape": (3, 2), "strides": (2, 1)},
        {"shape": (2, 2), "strides": (2, 1), "offset": 1},
        {"shape": (2, 2), "strides": (-2, 1)},
        {"shape": (2, 2), "strides": (2, 1), "offset": -4},
        {"shape": (2, 2), "strides": (2,)},
        {"shape": (2.0, 2.0), "strides": (2, 1)},
        {"shape": (4,), "strides": (1,), "items": 8},
        {"shape": (4,), "strides": (1,), "items": 2**60},
        {"shape": (4,), "strides": (1,), "key": "../data.pkl"},
        {"shape": (1,) * 70, "strides": (1,) * 70},
    ],
)
def test_a_tensor_that_reaches_past_its_storage_is_a_user_error(tmp_path, claim):
    with pytest.raises(UserError, match=r"consolidated\.00\.pth"):
        read_torch_file(_archive(tmp_path, _claim(**claim), STORAGE))


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    bomb = bytes(1 << 24)
    path = _archive(tmp_path, _claim((4,), (1,)), [("0", bomb)], zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 16
    with pytest.raises(UserError, match="compressed"):
        read_torch_file(path)


def test_every_truncation_of_a_file_is_a_user_error(tmp_path):
    whole = _save(tmp_path, {"a": torch.randn(3)}).read_bytes()
    path = tmp_path / "short.pth"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError):
            read_torch_file(path)
