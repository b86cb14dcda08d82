"""Pure tensor functions of the model, the plain version beside each fast one.

In: tensors and numbers. Out: tensors. Never: parameters, modules, state.
"""

from herd.ops.attention import Documents, attention, attention_plain, documents_of, segment_starts
from herd.ops.fp8 import (
    ACTIVATION_SCALE_UB,
    dequantize_fp8,
    fp8_linear,
    fp8_linear_plain,
    quantize_fp8_rows,
)
from herd.ops.int8 import (
    INT8_GROUP,
    dequantize_int8,
    int8_linear,
    int8_linear_plain,
    quantize_int8_activations,
    quantize_int8_weight,
)
from herd.ops.losses import cross_entropy_chunked, cross_entropy_plain
from herd.ops.norm import rms_norm, rms_norm_plain
from herd.ops.rope import (
    RopeScaling,
    apply_rope,
    apply_rope_plain,
    rope_angles,
    rope_frequencies,
)

__all__ = [
    "ACTIVATION_SCALE_UB",
    "Documents",
    "INT8_GROUP",
    "RopeScaling",
    "apply_rope",
    "apply_rope_plain",
    "attention",
    "attention_plain",
    "cross_entropy_chunked",
    "cross_entropy_plain",
    "dequantize_fp8",
    "dequantize_int8",
    "documents_of",
    "fp8_linear",
    "fp8_linear_plain",
    "int8_linear",
    "int8_linear_plain",
    "quantize_fp8_rows",
    "quantize_int8_activations",
    "quantize_int8_weight",
    "rms_norm",
    "rms_norm_plain",
    "rope_angles",
    "rope_frequencies",
    "segment_starts",
]
