"""Pure tensor functions of the model, the plain version beside each fast one.

In: tensors and numbers. Out: tensors. Never: parameters, modules, state.
"""

from herd.ops.attention import Documents, attention, attention_plain, documents_of, segment_starts
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
    "Documents",
    "RopeScaling",
    "apply_rope",
    "apply_rope_plain",
    "attention",
    "attention_plain",
    "cross_entropy_chunked",
    "cross_entropy_plain",
    "documents_of",
    "rms_norm",
    "rms_norm_plain",
    "rope_angles",
    "rope_frequencies",
    "segment_starts",
]
