import pytest
import torch

from herd.ops.precision import matmul_dtype, sum_dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_without_autocast_a_product_keeps_its_dtype(dtype: torch.dtype) -> None:
    x = torch.ones(2, 2, dtype=dtype)
    assert matmul_dtype(x) is (x @ x).dtype


def test_under_autocast_it_is_what_torch_itself_uses() -> None:
    x = torch.ones(2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert matmul_dtype(x) is (x @ x).dtype is torch.bfloat16


def test_the_meta_device_needs_no_autocast() -> None:
    assert matmul_dtype(torch.ones(2, device="meta")) is torch.float32


@pytest.mark.parametrize(
    ("dtype", "wide"),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)  # fmt: skip
def test_sums_are_at_least_float32(dtype: torch.dtype, wide: torch.dtype) -> None:
    assert sum_dtype(torch.ones(1, dtype=dtype)) is wide
