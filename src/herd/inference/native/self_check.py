"""Does the library compute here what the plain version computes? Asked once, before anything is served.

In: a library fresh from the compiler. Out: nothing, or the reason why it is not to be trusted.
Never: speed. A compiler or a processor that none of us has tested should cost speed, not answers.
"""

from __future__ import annotations

import ctypes

import torch

from herd import ops
from herd.inference.native.packed_weights import PackedMatrices
from herd.model import Int8Linear

N_ROWS, N_OUT, N_IN = 13, 48, 96
TOLERANCE = 1e-4  # of the largest output; a wrong layout or instruction is off by all of it


def why_not_trusted(library: ctypes.CDLL) -> str | None:
    """Return which product came out wrong, None when all are right."""
    generator = torch.Generator().manual_seed(0)
    x_RK = torch.randn(N_ROWS, N_IN, generator=generator)
    weight_NK = torch.randn(N_OUT, N_IN, generator=generator)
    int8 = Int8Linear.of(weight_NK)
    expected_RN = {
        "float32": x_RK @ weight_NK.T,
        "bfloat16": x_RK @ weight_NK.bfloat16().float().T,
        "int8": ops.int8_linear_plain(x_RK, int8.weight_q_NK, int8.scale_NG),
    }
    modules: dict[str, torch.nn.Module] = {
        "float32": _linear(weight_NK),
        "bfloat16": _linear(weight_NK.bfloat16()),
        "int8": int8,
    }
    for kind, module in modules.items():
        error = (_multiply(library, module, x_RK) - expected_RN[kind]).abs().max()
        if not error <= TOLERANCE * expected_RN[kind].abs().max():
            return f"its {kind} product differs from the plain version by {error:.2g}"
    return None


def _linear(weight_NK: torch.Tensor) -> torch.nn.Linear:
    linear = torch.nn.Linear(N_IN, N_OUT, bias=False)
    linear.weight = torch.nn.Parameter(weight_NK)
    return linear


def _multiply(library: ctypes.CDLL, module: torch.nn.Module, x_RK: torch.Tensor) -> torch.Tensor:
    matrices = PackedMatrices(library)
    out_RN = torch.empty(N_ROWS, N_OUT)
    failed = library.herd_multiply(
        matrices.matrix([module]), x_RK.data_ptr(), N_ROWS, N_IN, out_RN.data_ptr()
    )
    return out_RN.fill_(torch.nan) if failed else out_RN
