"""Fewer bits per weight: 8-bit integers, and FP8 as the Llama 3 paper does it.

In: a model with float weights. Out: the same model with some of its matrices quantised.
Never: training, or kernels; the arithmetic is `herd.ops`.
"""

from herd.model.quantization.fp8 import Fp8Linear
from herd.model.quantization.int8 import Int8Linear
from herd.model.quantization.schemes import (
    HEAD,
    LINEAR_KINDS,
    QuantizationScheme,
    QuantizedLinear,
    check_unquantized,
    put_linear,
    quantize_matrix,
    quantize_model,
    quantized_linears,
    quantized_names,
    scheme_of,
    weight_bytes,
)

__all__ = [
    "HEAD",
    "Fp8Linear",
    "Int8Linear",
    "LINEAR_KINDS",
    "QuantizationScheme",
    "QuantizedLinear",
    "check_unquantized",
    "put_linear",
    "quantize_matrix",
    "quantize_model",
    "quantized_linears",
    "quantized_names",
    "scheme_of",
    "weight_bytes",
]
