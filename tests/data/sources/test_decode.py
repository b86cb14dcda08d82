import codecs
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.sources.decode import MAX_CONTROL_FRACTION, decode, replace_surrogates


@given(st.text())
def test_utf_8_is_read_as_it_was_written(text):
    decoded = decode(text.encode())
    if decoded is not None:  # texts full of control characters pass for binary
        expected = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        assert decoded == (expected, "utf-8")


NAIVE_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


@given(st.text(st.sampled_from("a\x01\x7f\x80\x9f\xa0\xc2é\u0100’😀"), max_size=400))
def test_a_text_is_binary_by_its_share_of_control_characters(text):
    n_controls = len(NAIVE_CONTROL.findall(text))
    assert (decode(text.encode()) is None) == (n_controls > MAX_CONTROL_FRACTION * len(text))


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"", "", "utf-8"),
        ("caf\xe9".encode("cp1252"), "caf\xe9", "cp1252"),
        (b"\x93quoted\x94", "\u201cquoted\u201d", "cp1252"),
        (codecs.BOM_UTF8 + b"text", "text", "utf-8"),
        (codecs.BOM_UTF16_LE + "text".encode("utf-16-le"), "text", "utf-16"),
        (codecs.BOM_UTF16_BE + "text".encode("utf-16-be"), "text", "utf-16"),
        (codecs.BOM_UTF32_LE + "text".encode("utf-32-le"), "text", "utf-32"),
        (b"dos\r\nmac\runix\n", "dos\nmac\nunix\n", "utf-8"),
        (b"page\x0cbreak\tand tab", "page\x0cbreak\tand tab", "utf-8"),
    ],
)
def test_encodings_are_recognised(data, text, encoding):
    assert decode(data) == (text, encoding)


@pytest.mark.parametrize(
    "data",
    [
        b"text with a \0 in it",
        random.Random(0).randbytes(4096),
        bytes(b | 0x80 for b in random.Random(0).randbytes(4096)),
        codecs.BOM_UTF16_LE + b"\x00\xd8" * 9,
    ],
)
def test_what_is_no_text_is_called_binary(data):
    assert decode(data) is None


def test_surrogates_that_json_left_apart_are_joined_and_lone_ones_replaced():
    assert replace_surrogates("a\ud83d\ude00b") == ("a\U0001f600b", 0)
    assert replace_surrogates("a\ud83db\ufffd") == ("a\ufffdb\ufffd", 1)
    assert replace_surrogates("plain") == ("plain", 0)
