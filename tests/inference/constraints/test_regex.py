"""The size of a pattern equals that of the pattern with its repetitions written out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.inference.constraints.regex import check_size, expanded_size

PIECES = st.recursive(
    st.sampled_from(["a", r"\d", "[a-z]", r"\p{L}", "[]x{9}]", r"\{"]).map(lambda p: (p, 1)),
    lambda inner: st.one_of(
        st.tuples(inner, st.integers(0, 5)).map(
            lambda p: (f"(?:{p[0][0]}){{{p[1]}}}", p[0][1] * p[1])
        ),
        st.tuples(inner, inner).map(lambda p: (p[0][0] + p[1][0], p[0][1] + p[1][1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}|{p[1][0]})", p[0][1] + p[1][1])),
        inner.map(lambda p: (f"(?P<n>{p[0]})*?", p[1])),
    ),
    max_leaves=12,
)


@given(PIECES)
def test_the_size_is_that_of_the_written_out_pattern(piece: tuple[str, int]) -> None:
    pattern, size = piece
    assert expanded_size(pattern) == size


@given(st.text(alphabet="ab(){}[]\\|?*+^,0123456789pP-", max_size=40))
def test_any_text_has_a_size(pattern: str) -> None:
    assert expanded_size(pattern) >= 0


@pytest.mark.parametrize(
    ("pattern", "size"),
    [("a{2,}", 3), ("a{2,4}", 4), ("(a{1000}){1000}{1000}", 10**9), ("(((", 0), ("a+{3}", 3)],
)
def test_known_sizes(pattern: str, size: int) -> None:
    assert expanded_size(pattern) == size


def test_a_deep_or_long_pattern_takes_bounded_time() -> None:
    check_size("(" * 100_000 + ")" * 100_000, "it")
    with pytest.raises(UserError, match="it is too complex"):
        check_size("(a{9}" * 1000 + "){9}" * 1000, "it")


@pytest.mark.parametrize(
    "beginning", ["[", "(?<", "\\p{", "{1,    ", "{ ", "(?a", "[^", "\\", "[a]{2"]
)
def test_a_hundred_thousand_beginnings_take_bounded_time(beginning: str) -> None:
    expanded_size(beginning * 100_000)  # took hours while each looked ahead to the end
