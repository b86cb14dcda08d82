"""The measured roof of this machine: how fast matrices multiply and memory streams.

Out: FLOP/s by data type and bytes/s, measured here rather than read off a data sheet, so that a
fraction of it (MFU) can be believed. `herd doctor` measures and keeps them in the cache; training
reads them back.
"""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from herd.foundation.cache import cache_directory
from herd.foundation.config import from_dict, to_dict
from herd.foundation.devices import available_cores, detect_hardware
from herd.foundation.errors import UserError
from herd.foundation.files import write_json

if TYPE_CHECKING:
    import torch

MATMUL_SIZES = {"cpu": (1024, 2048), "cuda": (4096, 8192)}  # the best size counts
PROBE_SIZE = 256
MEASURE_S = 0.4  # per size and type
STREAM_BYTES = {"cpu": 1 << 28, "cuda": 1 << 30}  # far beyond any cache
DTYPES = ("bfloat16", "float32")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceilings:
    """Measured limits of one device."""

    device: str
    threads: int
    matmul_flops_per_s: dict[str, float]
    memory_bytes_per_s: float


def load_or_measure_ceilings(device: "torch.device") -> Ceilings:
    """Return the ceilings kept for this hardware, measuring and keeping them the first time."""
    return _load(_saved_path(device)) or measure_and_save_ceilings(device)


def measure_and_save_ceilings(device: "torch.device") -> Ceilings:
    """Measure this device now; return and keep the best of this and what was measured before.

    A busy machine measures low, and no machine measures too high: a roof is the best ever seen.
    """
    ceilings, before = measure_ceilings(device), _load(_saved_path(device))
    if before is not None:
        ceilings = _best(ceilings, before)
    with contextlib.suppress(UserError):  # a read-only home costs a measurement per run, no more
        write_json(_saved_path(device), to_dict(ceilings))
    return ceilings


def _load(path: Path) -> Ceilings | None:
    try:
        return from_dict(Ceilings, json.loads(path.read_text()), where=str(path))
    except (OSError, ValueError):  # absent or damaged
        return None


def _best(new: Ceilings, before: Ceilings) -> Ceilings:
    dtypes = new.matmul_flops_per_s | before.matmul_flops_per_s
    return Ceilings(
        device=new.device,
        threads=new.threads,
        matmul_flops_per_s={
            name: max(new.matmul_flops_per_s.get(name, 0), before.matmul_flops_per_s.get(name, 0))
            for name in dtypes
        },
        memory_bytes_per_s=max(new.memory_bytes_per_s, before.memory_bytes_per_s),
    )


def measure_ceilings(device: "torch.device") -> Ceilings:
    """Measure square matrix products per data type and a large copy; takes 2 to 3 seconds."""
    import torch

    kind = device.type
    matmul = {
        name: _best_matmul_flops_per_s(device, getattr(torch, name), MATMUL_SIZES[kind])
        for name in DTYPES
    }
    return Ceilings(
        device=kind,
        threads=torch.get_num_threads(),
        matmul_flops_per_s=matmul,
        memory_bytes_per_s=_stream_bytes_per_s(device),
    )


def _best_matmul_flops_per_s(
    device: "torch.device", dtype: "torch.dtype", sizes: tuple[int, ...]
) -> float:
    """Return the best over sizes, leaving out those of which one product outlasts the measurement.

    A processor without bfloat16 instructions takes a minute for what another does in milliseconds.
    """
    best = _matmul_flops_per_s(device, dtype, PROBE_SIZE)
    for size in sizes:
        if 2 * size**3 / best < MEASURE_S:
            best = max(best, _matmul_flops_per_s(device, dtype, size))
    return best


def _matmul_flops_per_s(device: "torch.device", dtype: "torch.dtype", size: int) -> float:
    import torch

    left = torch.randn(size, size, device=device).to(dtype)
    right = torch.randn(size, size, device=device).to(dtype)
    out = torch.empty(size, size, device=device, dtype=dtype)
    best_s = _best_duration_s(lambda: torch.matmul(left, right, out=out), device)
    return 2 * size**3 / best_s


def _stream_bytes_per_s(device: "torch.device") -> float:
    import torch

    source = torch.ones(STREAM_BYTES[device.type] // 4, device=device)
    target = torch.empty_like(source)
    best_s = _best_duration_s(lambda: target.copy_(source), device)
    return 2 * source.numel() * 4 / best_s  # read once, written once


def _best_duration_s(work: Callable[[], object], device: "torch.device") -> float:
    work()
    best_s, stop_at = float("inf"), time.perf_counter() + MEASURE_S
    while time.perf_counter() < stop_at:
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        best_s = min(best_s, time.perf_counter() - started)
    return best_s


def _wait(device: "torch.device") -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _saved_path(device: "torch.device") -> Path:
    """One file per kind of hardware, since a home directory may be shared between machines."""
    hardware = detect_hardware()
    cpu = " ".join((hardware.cpu, *hardware.cpu_features))  # a name alone may stand for several
    name = hardware.gpus[device.index or 0] if device.type == "cuda" else cpu
    label = "".join(letter if letter.isalnum() else "-" for letter in name).strip("-").lower()
    return cache_directory() / "ceilings" / f"{label}-{available_cores()}-cores.json"
