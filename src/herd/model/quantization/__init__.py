"""Fewer bits per weight: 8-bit integers, and FP8 as the Llama 3 paper does it.

In: a model with float weights. Out: the same model with some of its matrices quantised.
Never: training, or kernels; the arithmetic is `herd.ops`.
"""

from herd.model.quantization.int8 import Int8Linear

__all__ = ["Int8Linear"]
