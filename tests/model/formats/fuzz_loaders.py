"""Feed damaged model files to a loader until it fails in any way but UserError.

Run as `python fuzz_loaders.py FORMAT SEED COUNT`, in a process of its own because it limits its
memory and dies when one input takes too long. Prints a summary as JSON; exits 1 at the first
failure, after writing the input that caused it beside the others.
"""

import copy
import io
import json
import os
import pickletools
import random
import resource
import signal
import struct
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import torch

from herd.foundation import UserError, read_gguf
from herd.model import ModelConfig, RopeScaling, Transformer, init_weights
from herd.model.formats import load_weights, save_gguf, save_hf, save_meta

ALLOWANCE_BYTES = 1 << 30  # of address space, beyond what importing torch takes
GROWTH_BYTES = 256 << 20  # of resident memory over the whole run; the files have 20 KB
LIMIT_S = 20
EXTREMES = (0, 1, 2, 7, 8, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**60, 2**63 - 1, 2**64 - 1)
JSON_EXTREMES = (-1, 0, 1, 2**31, 2**60, 2**64, 10**30, 1.5, "x", "", None, True, [], {}, [[[]]])


class TinyVocabulary:
    """What `save_gguf` asks of a tokenizer."""

    vocab_size = 12

    def gguf_metadata(self):
        return {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.tokens": [f"t{i}" for i in range(12)],
            "tokenizer.ggml.token_type": [1] * 12,
            "tokenizer.ggml.merges": ["t 1", "t 2"],
            "tokenizer.ggml.bos_token_id": 1,
        }


def main(form, seed, count):
    rng = random.Random(f"{form} {seed}")
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        save_sample(form, directory / "model")
        target = next((directory / "model").glob(FILES[form]))
        whole = target.read_bytes()
        load(form, target)
        _limit()
        outcomes, started = Counter(), _resident_bytes()
        for index in range(count):
            damaged = damage(form, whole, rng)
            target.write_bytes(damaged)
            signal.alarm(LIMIT_S)
            outcome = _outcome(form, target, index, damaged)
            signal.alarm(0)
            outcomes[outcome] += 1
        growth = _resident_bytes() - started
        assert growth < GROWTH_BYTES, f"resident memory grew by {growth:,} bytes"
        print(json.dumps({"format": form, "inputs": count, "growth_bytes": growth} | outcomes))


FILES = {"safetensors": "*.safetensors", "gguf": "*.gguf", "pth": "*.00.pth"}


def save_sample(form, directory):
    scaling = RopeScaling(factor=8.0, original_context=16)
    config = ModelConfig(
        vocab_size=12,
        dim=32,
        n_layers=2,
        n_heads=2,
        n_kv_heads=1,
        ffn_dim=32,
        max_context=64,
        rope_scaling=scaling,
    )
    model = Transformer(config)
    init_weights(model, seed=0)
    if form == "safetensors":
        save_hf(model, directory)
    elif form == "pth":
        save_meta(model, directory)
    else:
        save_gguf(model, directory / "x.gguf", tokenizer=TinyVocabulary(), kind="q8_0")


def load(form, target):
    return load_weights(target if form == "gguf" else target.parent)


def damage(form, whole, rng):
    blind = (flip_bits, overwrite, truncate, insert, delete, repeat)
    knowing = {
        "safetensors": (lie_in_json, lie_in_json, lie_about_header),
        "gguf": (lie_in_number, lie_in_number, lie_in_number),
        "pth": (lie_in_pickle, lie_in_pickle, lie_in_archive),
    }[form]
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        change = rng.choice(blind + knowing + knowing)
        try:
            whole = change(whole, rng)
        except Exception:  # an earlier change left nothing that this one could lie about
            whole = flip_bits(whole, rng)
    return whole


def flip_bits(whole, rng):
    damaged = bytearray(whole or b"\0")
    for _ in range(rng.choice((1, 1, 3, 20))):
        damaged[_place(damaged, rng)] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def overwrite(whole, rng):
    damaged = bytearray(whole)
    size = rng.choice((1, 2, 4, 8))
    place = _place(damaged, rng)
    value = rng.choice(EXTREMES) & (256**size - 1)
    damaged[place : place + size] = value.to_bytes(size, "little")
    return bytes(damaged)


def truncate(whole, rng):
    return whole[: rng.randrange(len(whole) + 1)]


def insert(whole, rng):
    place = _place(whole, rng)
    return whole[:place] + rng.randbytes(rng.choice((1, 8, 200))) + whole[place:]


def delete(whole, rng):
    place = _place(whole, rng)
    return whole[:place] + whole[place + rng.choice((1, 8, 200)) :]


def repeat(whole, rng):
    place, size = _place(whole, rng), rng.choice((1, 16, 400))
    return whole[:place] + whole[place : place + size] * rng.choice((2, 50)) + whole[place + size :]


def lie_about_header(whole, rng):
    return struct.pack("<Q", rng.choice(EXTREMES)) + whole[8:]


def lie_in_json(whole, rng):
    """Change a value of the safetensors header and make its length fit."""
    (size,) = struct.unpack_from("<Q", whole)
    header = json.loads(whole[8 : 8 + size])
    entry = header[rng.choice(sorted(header))]
    other = header[rng.choice(sorted(header))]
    key = rng.choice(sorted(entry))
    kind = rng.randrange(4)
    if kind == 0:
        entry[key] = rng.choice(JSON_EXTREMES)
    elif kind == 1 and isinstance(entry[key], list) and entry[key]:
        entry[key][rng.randrange(len(entry[key]))] = rng.choice(JSON_EXTREMES)
    elif kind == 2:
        entry[key] = copy.deepcopy(other.get(key))
    else:
        name = rng.choice(sorted(header))
        header[rng.choice((name + "x", "", "model.norm.weight", "a" * 999))] = header.pop(name)
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + whole[8 + size :]


def lie_in_number(whole, rng):
    """Overwrite one length, count, type or offset of a GGUF header, found by parsing it."""
    places = _gguf_numbers(whole)
    place, size = rng.choice(places)
    old = int.from_bytes(whole[place : place + size], "little")
    new = rng.choice((*EXTREMES, old + 1, old - 1, old * 2, old // 2, old + 32))
    raw = (new % 256**size).to_bytes(size, "little")
    return whole[:place] + raw + whole[place + size :]


def _gguf_numbers(whole):
    """Positions and sizes of the numbers around each name that the intact header holds."""
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(whole)
        file.flush()
        container = read_gguf(file.name)
    places = [(4, 4), (8, 8), (16, 8)]
    for key in container.metadata:
        start = whole.index(key.encode(), 24)
        after = start + len(key.encode())
        places += [(start - 8, 8), (after, 4), (after + 4, 4), (after + 4, 8), (after + 8, 8)]
    for name, tensor in container.tensors.items():
        start = whole.index(struct.pack("<Q", len(name)) + name.encode())
        after = start + 8 + len(name)
        n_dims = len(tensor.shape)
        places += [(start, 8), (after, 4)]
        places += [(after + 4 + 8 * i, 8) for i in range(n_dims)]
        places += [(after + 4 + 8 * n_dims, 4), (after + 8 + 8 * n_dims, 8)]
    return places


def lie_in_pickle(whole, rng):
    """Damage data.pkl inside an archive that stays whole around it."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = next(name for name in members if name.endswith("data.pkl"))
    pickled = members[name]
    operations = [place for _, _, place in pickletools.genops(pickled)]
    index = rng.randrange(len(operations) - 1)
    start, stop = operations[index], operations[index + 1]
    change = rng.randrange(5)
    if change == 0:
        pickled = pickled[:start] + pickled[stop:]
    elif change == 1:
        pickled = pickled[:stop] + pickled[start:stop] * rng.choice((1, 9)) + pickled[stop:]
    elif change == 2:
        opcode = rng.choice(pickletools.opcodes).code.encode("latin-1")
        pickled = pickled[:start] + opcode + pickled[start + 1 :]
    elif change == 3:
        number = b"\x8a\x08" + struct.pack("<q", rng.choice((-1, 2**31, 2**40, 2**62, 2**63 - 1)))
        numbers = [
            (place, following)
            for place, following in zip(operations, operations[1:], strict=False)
            if pickled[place : place + 1] in (b"K", b"M", b"J")
        ]
        start, stop = rng.choice(numbers)
        pickled = pickled[:start] + number + pickled[stop:]
    else:
        code = rng.choice((b"cos\nsystem\n", b"cbuiltins\neval\n", b"c__main__\nx\n"))
        pickled = pickled[:start] + code + pickled[start:]
    members[name] = pickled
    return _archive(members)


def lie_in_archive(whole, rng):
    """Drop, rename, resize or compress members of the archive, which stays whole."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = rng.choice(sorted(members))
    raw = members.pop(name)
    change = rng.randrange(4)
    if change == 1:
        members[rng.choice((name + "x", "../" + name, "data.pkl"))] = raw
    elif change == 2:
        members[name] = raw[: rng.randrange(len(raw) + 1)]
    elif change == 3:
        members[name] = raw * 2
    return _archive(members, zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED)


def _archive(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    return buffer.getvalue()


def _place(whole, rng):
    """A position, more often than not in the first kilobytes or the last, where headers lie."""
    if not whole:
        raise IndexError("nothing left")
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randrange(len(whole))
    near = min(len(whole), 3000)
    return rng.randrange(near) if kind < 3 else len(whole) - 1 - rng.randrange(near)


def _outcome(form, target, index, damaged):
    try:
        load(form, target)
    except UserError as error:
        cause = error.__cause__
        is_memory = isinstance(cause, MemoryError) or "alloc" in str(cause).lower()
        if not is_memory and "\n" not in str(error):
            return "refused"
        failure = f"{error!r} from {cause!r}"
    except BaseException as error:
        failure = repr(error)
    else:
        return "loaded"
    kept = Path(tempfile.gettempdir()) / f"fuzz-{form}-{index}{target.suffix}"
    kept.write_bytes(damaged)
    sys.exit(f"input {index} of {form}, kept as {kept}: {failure}")


def _limit():
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ALLOWANCE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGALRM, _give_up)


def _give_up(*_):
    os.write(2, b"one input took too long\n")
    os._exit(3)


def _resident_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
