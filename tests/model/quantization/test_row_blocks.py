"""Blocks of rows give what the whole matrix gives."""

import pytest
import torch

from herd import ops
from herd.model.quantization import row_blocks


@pytest.mark.parametrize("quantize", [ops.quantize_int8_weight, ops.quantize_fp8_rows])
@pytest.mark.parametrize("block_values", [1, 100, 10**9])
def test_blocks_equal_the_whole(monkeypatch, quantize, block_values):
    monkeypatch.setattr(row_blocks, "BLOCK_VALUES", block_values)
    weight = torch.nn.Parameter(torch.randn(37, 64))
    values, scales = row_blocks.quantize_in_blocks(quantize, weight)
    expected_values, expected_scales = quantize(weight.detach())
    assert values.dtype == expected_values.dtype and not scales.requires_grad
    assert torch.equal(values.float(), expected_values.float())
    assert torch.equal(scales, expected_scales)
