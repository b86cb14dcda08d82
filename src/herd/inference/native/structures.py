"""The structs of the C step, field by field in the same order.

In: nothing. Out: `ctypes` structures. Never: memory; whoever fills them keeps what they point to.
"""

from ctypes import POINTER, Structure, c_float, c_int32, c_void_p

FLOAT32, BFLOAT16, INT8 = range(3)  # kinds of a Matrix


class MatrixStruct(Structure):
    """`Matrix` of matrix.h."""

    _fields_ = [
        ("kind", c_int32),
        ("n_out", c_int32),
        ("n_in", c_int32),
        ("values", c_void_p),
        ("scales", c_void_p),
    ]


class LayerStruct(Structure):
    """`Layer` of work.h."""

    _fields_ = [
        ("attention_norm", c_void_p),
        ("feed_forward_norm", c_void_p),
        ("qkv", MatrixStruct),
        ("o", MatrixStruct),
        ("gate_up", MatrixStruct),
        ("down", MatrixStruct),
    ]


class CacheStruct(Structure):
    """`Cache` of attention.h."""

    _fields_ = [
        ("is_half", c_int32),
        ("keys", c_void_p),
        ("values", c_void_p),
        ("n_layers", c_int32),
        ("n_heads", c_int32),
        ("head_dim", c_int32),
    ]


class ModelStruct(Structure):
    """`Model` of work.h."""

    _fields_ = [
        *[
            (name, c_int32)
            for name in (
                "n_layers",
                "dim",
                "n_heads",
                "n_kv_heads",
                "head_dim",
            )
        ],
        ("norm_eps", c_float),
        ("layers", POINTER(LayerStruct)),
        ("final_norm", c_void_p),
        ("head", MatrixStruct),
        ("cache", CacheStruct),
    ]


class StepStruct(Structure):
    """`Step` of work.h."""

    _fields_ = [
        *[(name, c_int32) for name in ("n_tokens", "n_chunks", "n_rows")],
        *[
            (name, c_void_p)
            for name in (
                "position",
                "chunk_start",
                "table_start",
                "blocks",
                "rows",
                "cos",
                "sin",
                "x",
                "logits",
            )
        ],
    ]
