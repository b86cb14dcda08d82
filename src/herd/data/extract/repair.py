"""Text as it was meant: mojibake undone, letters composed (NFC), invisible characters taken out.

The slow library looks only at texts that show a sign of what it mends; clean text costs a scan.
In: any text. Out: the text, and what was mended.
"""

import re
import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from herd.foundation import missing_library

MAX_ROUNDS = 8  # what one mends may bring another to light: mojibake of mojibake
# UTF-8 read as Windows-1252 or Latin-1: 'Ã©', 'â€™', 'Ð¿', 'ï»¿'.
MOJIBAKE = re.compile(
    "[\u00c2\u00c3\u00d0\u00d1][\u0080-\u00bf]|\u00e2(\u20ac|\u0080)|\u00ef\u00bb\u00bf|\u00f0\u0178"
)
# Controls that no encoding error makes out of text; those from \x80 on are half of mojibake.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
INVISIBLE = re.compile(
    "[\x80-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufff9-\ufffb"
    "\u202a-\u202e\u2066-\u2069\ue000-\uf8ff]"
)
# Any character that one of the rules looks at: most texts have none, and are told by one scan.
SUSPECT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\u00a0\u00ad\u00c2\u00c3\u00d0\u00d1\u00e2\u00ef\u00f0\u2007\u200b\u2028-\u202f"
    "\u2060-\u206f\ue000-\uf8ff\ufeff\ufff9-\ufffb]"
)
ODD_LINE_ENDS = ("\r", "\u0085", "\u2028", "\u2029")
LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
ODD_SPACES = ("\u00a0", "\u202f", "\u2007")
NO_BREAK_SPACES = re.compile(f"[{''.join(ODD_SPACES)}]")


def repaired(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text and the names of what was mended in it."""
    mended: list[str] = []
    for _ in range(MAX_ROUNDS):
        before = text
        text = _mended_once(text, mended)
        if text == before:
            break
    return text, tuple(dict.fromkeys(mended))


def _mended_once(text: str, mended: list[str]) -> str:
    if has_suspects(text):
        text = _without_suspects(text, mended)
    if not unicodedata.is_normalized("NFC", text):
        text = _noted(unicodedata.normalize("NFC", text), text, "letters composed", mended)
    return text


def has_suspects(text: str) -> bool:
    """Return whether SUSPECT matches: a look-up for each character is three times as fast as the search."""
    return _has(text, _is_suspect())


def _has(text: str, table: NDArray[np.bool_]) -> bool:
    codes = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype=np.uint16)
    return bool(table.take(codes).any())


@lru_cache(maxsize=1)
def _is_suspect() -> NDArray[np.bool_]:
    """SUSPECT for each character of the basic plane; beyond it there is none."""
    return _table_of(SUSPECT)


@lru_cache(maxsize=1)
def _is_control() -> NDArray[np.bool_]:
    return _table_of(CONTROLS)


def _table_of(pattern: re.Pattern[str]) -> NDArray[np.bool_]:
    return np.array([pattern.match(chr(code)) is not None for code in range(1 << 16)])


def _without_suspects(text: str, mended: list[str]) -> str:
    if _has(text, _is_control()):
        text = _noted(CONTROLS.sub("", text), text, "invisible characters", mended)
    if MOJIBAKE.search(text):
        text = _noted(_without_mojibake(text), text, "mojibake", mended)
    if any(end in text for end in ODD_LINE_ENDS):
        text = _noted(LINE_ENDS.sub("\n", text), text, "line ends", mended)
    if INVISIBLE.search(text):
        text = _noted(INVISIBLE.sub("", text), text, "invisible characters", mended)
    if any(space in text for space in ODD_SPACES):
        text = _noted(NO_BREAK_SPACES.sub(" ", text), text, "no-break spaces", mended)
    return text


def _noted(after: str, before: str, what: str, mended: list[str]) -> str:
    if after != before:
        mended.append(what)
    return after


def _without_mojibake(text: str) -> str:
    try:
        import ftfy
    except ImportError:
        raise missing_library("repairing text", "ftfy", "data") from None
    lines = text.split("\n")
    return "\n".join(ftfy.fix_encoding(line) if MOJIBAKE.search(line) else line for line in lines)
