"""What the machine is: its processor's matrix instructions, its memory, its accelerators.

Out: a torch device to use by default, and a description of the hardware for logs and reports.
Torch is imported where it is needed: what only reads files should not wait for it.
"""

import functools
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CPU_FEATURES = {  # flags of /proc/cpuinfo that decide how fast matrices multiply
    "avx2": "AVX2",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
    "asimddp": "NEON dot product",
    "bf16": "NEON BF16",
    "sve": "SVE",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Hardware:
    """The machine as a report names it. Sizes in bytes."""

    cpu: str
    cores: int
    cpu_features: tuple[str, ...]
    memory_bytes: int
    gpus: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line, for tables."""
        features = f" ({', '.join(self.cpu_features)})" if self.cpu_features else ""
        gpus = "".join(f" + {gpu}" for gpu in self.gpus)
        return f"{self.cores} x {self.cpu}{features}, {self.memory_bytes / 2**30:.0f} GiB{gpus}"


def default_device() -> "torch.device":
    """Return the fastest device here: a CUDA GPU, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.cache
def multiplies_bfloat16(device_type: str) -> bool:
    """Return whether bfloat16 products are fast there: always on a GPU, else with instructions for it.

    Without them a processor takes some hundred times as long as for float32.
    """
    features = detect_hardware().cpu_features
    return device_type != "cpu" or any("BF16" in feature for feature in features)


def detect_hardware() -> Hardware:
    """Return what this machine is made of."""
    return Hardware(
        cpu=_cpu_name(),
        cores=available_cores(),
        cpu_features=_cpu_features(),
        memory_bytes=_memory_bytes(),
        gpus=_gpu_names(),
    )


def available_cores() -> int:
    """Return how many cores this process may use, which in a container can be few of many."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_name() -> str:
    match = re.search(r"model name\s*: (.+)", _cpuinfo())
    return match[1].strip() if match else platform.processor() or platform.machine()


def _cpu_features() -> tuple[str, ...]:
    match = re.search(r"(?:flags|Features)\s*: (.+)", _cpuinfo())
    flags = set(match[1].split()) if match else set()
    return tuple(name for flag, name in CPU_FEATURES.items() if flag in flags)


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _gpu_names() -> tuple[str, ...]:
    import torch

    if not torch.cuda.is_available():
        return ()
    properties = [
        torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())
    ]
    return tuple(f"{gpu.name} {gpu.total_memory / 2**30:.0f} GiB" for gpu in properties)
