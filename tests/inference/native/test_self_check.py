"""A library that computes something else is found out before it serves anybody."""

import ctypes

from herd.inference.native.library import open_library
from herd.inference.native.self_check import why_not_trusted


class OffByOne:
    """The real library, with one number of each product changed."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def __getattr__(self, name: str) -> object:
        return getattr(self._library, name)

    def herd_multiply(self, matrix: object, x: int, n_rows: int, n_in: int, out: int) -> int:
        failed = self._library.herd_multiply(matrix, x, n_rows, n_in, out)
        ctypes.cast(out, ctypes.POINTER(ctypes.c_float))[77] += 1.0
        return failed


def test_the_library_of_this_machine_is_trusted() -> None:
    assert why_not_trusted(open_library()) is None


def test_a_wrong_product_is_named() -> None:
    reason = why_not_trusted(OffByOne(open_library()))
    assert reason is not None and reason.startswith("its float32 product differs")
