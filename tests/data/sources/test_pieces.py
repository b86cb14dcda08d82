import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from herd.data.sources.pieces import read_pieces, split_text


@given(st.binary(max_size=300), st.integers(4, 40))
@example(b"\xc0\x80\x80\x80\x00", 4)
def test_pieces_join_to_the_whole_and_keep_the_bound(data, bound):
    pieces = list(read_pieces(io.BytesIO(data), bound))
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= bound for piece in pieces)


@given(st.text(max_size=100), st.integers(8, 40))
def test_no_character_is_cut_in_two(text, bound):
    pieces = list(read_pieces(io.BytesIO(text.encode()), bound))
    assert "".join(piece.decode() for piece in pieces) == text


@given(st.text(alphabet="ab \n\u00e9", max_size=100), st.integers(1, 20))
def test_texts_are_split_like_streams(text, bound):
    pieces = list(split_text(text, bound))
    assert "".join(pieces) == text
    assert all(len(piece) <= bound for piece in pieces)


def test_cuts_fall_after_lines_where_there_are_any():
    data = b"one two\nthree four\nfive six\n"
    assert list(read_pieces(io.BytesIO(data), 12)) == [b"one two\n", b"three four\n", b"five six\n"]


@pytest.mark.parametrize("chunk", [1, 3])
def test_short_reads_do_not_end_the_stream(chunk):
    class Trickle(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, chunk))

    assert b"".join(read_pieces(Trickle(b"a b c d e f"), 4)) == b"a b c d e f"
