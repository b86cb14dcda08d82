"""GPT-2's printable alphabet for bytes, in which tokenizer.json and GGUF write byte-level tokens.

In: bytes or such a string. Out: the other.
Never: ids.
Source: `bytes_to_unicode` of OpenAI's GPT-2 encoder.
"""

PRINTABLE = (*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100))
OTHERS = tuple(byte for byte in range(256) if byte not in PRINTABLE)
CHAR_OF_BYTE: dict[int, str] = {byte: chr(byte) for byte in PRINTABLE} | {
    byte: chr(256 + index) for index, byte in enumerate(OTHERS)
}
# The way back, as characters: byte n is character n, and what stands for no byte becomes one beyond.
BYTE_CHARS: dict[int, str] = dict.fromkeys(OTHERS, "\uffff") | {
    ord(char): chr(byte) for byte, char in CHAR_OF_BYTE.items()
}


def to_alphabet(token: bytes) -> str:
    """Write a token's bytes as the characters that stand for them."""
    # latin-1 maps byte n to character n, so one translation does the whole token.
    return token.decode("latin-1").translate(CHAR_OF_BYTE)


def from_alphabet(token: str) -> bytes | None:
    """Return the bytes a token stands for, or None if it holds a character outside the alphabet."""
    try:
        return token.translate(BYTE_CHARS).encode("latin-1")
    except UnicodeEncodeError:
        return None
