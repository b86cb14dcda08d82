"""What every tokenizer can do: text to ids and back, with special tokens only where allowed.

In: text (any Unicode), or ids. Out: ids, or the very same text.
Never: where the vocabulary came from; dialogs.
Special tokens are opt-in by name, as in Meta's Llama 3 tokenizer: text from a stranger that
spells `<|eot_id|>` gives ordinary tokens. Ids that the model wrote are decoded as they are.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from herd.foundation import UserError
from herd.tokenizer.special_tokens import SpecialTokens

AllowedSpecial = Collection[str] | Literal["all"]


class Tokenizer(ABC):
    """A vocabulary and the rule that applies it. `load` and `train_bpe` make them."""

    def __init__(self, roles: SpecialTokens, token_bytes: Sequence[bytes | None]) -> None:
        """Take the special tokens and the bytes of each id (None where an id is not in use)."""
        self.roles = roles
        self.vocab_size = len(token_bytes)
        self.bos_id = roles.bos_id
        self.eos_id = roles.eos_id
        self.pad_id = roles.pad_id
        self.stop_ids = roles.stop_ids
        self.adds_bos = roles.adds_bos
        self.chat_template = roles.chat_template
        self._token_bytes = token_bytes
        self._special_tokens = dict(roles.ids)
        self._special_ids = frozenset(roles.ids.values())
        self._check_roles()

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """Names and ids of the special tokens; a view that cannot be changed."""
        return MappingProxyType(self._special_tokens)

    def encode(
        self,
        text: str,
        *,
        bos: bool = False,
        eos: bool = False,
        allowed_special: AllowedSpecial = (),
    ) -> list[int]:
        """Return the ids of `text`, between BOS and EOS where asked for.

        A special token's name in the text becomes its id only if `allowed_special` holds that name
        (or is "all"). Raises UserError for a lone surrogate, an unknown name, or a missing BOS/EOS.
        """
        check_unicode(text)
        if allowed_special:
            ids = self._encode_allowing(text, self._allowed_names(allowed_special))
        else:
            ids = self._encode_plain(text)
        return self._framed(ids, bos, eos)

    def encode_batch(
        self, texts: Iterable[str], *, bos: bool = False, eos: bool = False
    ) -> list[list[int]]:
        """Return the ids of every text, on all cores; equal to `encode` of each, in order."""
        texts = list(texts)
        for text in texts:
            check_unicode(text)
        batch = self._encode_plain_batch(texts)
        return [self._framed(ids, bos, eos) for ids in batch] if bos or eos else batch

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        """Return the text of `ids`; bytes that are not UTF-8 become U+FFFD.

        Special tokens appear by name, or not at all with `skip_special`. Raises UserError for an
        id outside the vocabulary.
        """
        if skip_special:
            return self._decode_skipping(ids)
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Return the bytes of `ids`, special tokens by name. Raises UserError as `decode` does."""
        if self.prefix_at_start:
            return b"".join(self._without_prefixes(ids, skip_special=False))
        try:
            if ids and min(ids) < 0:
                raise IndexError
            return b"".join([self._token_bytes[i] for i in ids])  # type: ignore[misc]
        except (IndexError, TypeError):
            return b"".join([self.token_bytes(i) for i in ids])  # names the id at fault

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes of one id as they stand inside a text."""
        token = self._token_bytes[token_id] if 0 <= token_id < self.vocab_size else None
        if token is None:
            raise UserError(
                f"token id {token_id} is not in this vocabulary of {self.vocab_size:,}; "
                "were the ids made with another tokenizer?"
            )
        return token

    @property
    @abstractmethod
    def prefix_at_start(self) -> bool:
        """Whether encoding puts a space before the text (and decoding takes it away)."""

    @property
    @abstractmethod
    def prefix_after_special(self) -> bool:
        """Whether it does so after each special token, too."""

    @cached_property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of all that determines the ids; equal wherever they are equal."""

    @abstractmethod
    def save(self, directory: str | Path) -> None:
        """Write the tokenizer's files into `directory` (made if absent; its other files stay).

        tokenizer.json and tokenizer_config.json for Hugging Face's libraries, tokenizer.model where
        Meta's format can hold this vocabulary. Raises UserError when the disk refuses.
        """

    @abstractmethod
    def gguf_metadata(self) -> dict[str, Any]:
        """Return the `tokenizer.ggml.*` keys with which llama.cpp gives the same ids."""

    @abstractmethod
    def _encode_plain(self, text: str) -> list[int]:
        """Ids of well-formed text in which nothing is special."""

    @abstractmethod
    def _encode_plain_batch(self, texts: list[str]) -> list[list[int]]:
        """The same for many texts."""

    @abstractmethod
    def _encode_after_special(self, text: str) -> list[int]:
        """Ids of the text that follows a special token."""

    def _encode_allowing(self, text: str, names: frozenset[str]) -> list[int]:
        """Cut at the allowed names (longest first where several begin) and encode between them."""
        if not names:
            return self._encode_plain(text)
        longest_first = sorted(names, key=lambda name: (-len(name), name))
        pattern = re.compile("|".join(map(re.escape, longest_first)))
        ids: list[int] = []
        start = 0
        for match in pattern.finditer(text):
            ids += self._encode_between(text[start : match.start()], is_first=start == 0)
            ids.append(self.special_tokens[match[0]])
            start = match.end()
        return ids + self._encode_between(text[start:], is_first=start == 0)

    def _encode_between(self, text: str, *, is_first: bool) -> list[int]:
        if not text:
            return []
        return self._encode_plain(text) if is_first else self._encode_after_special(text)

    def _allowed_names(self, allowed: AllowedSpecial) -> frozenset[str]:
        if allowed == "all":
            return frozenset(self.special_tokens)
        names = frozenset({allowed} if isinstance(allowed, str) else allowed)
        if unknown := sorted(names - self.special_tokens.keys()):
            raise UserError(
                f"allowed_special names {unknown[0]!r}, which is no special token here; "
                "`herd tokenizer show` lists them"
            )
        return names

    def _framed(self, ids: list[int], bos: bool, eos: bool) -> list[int]:
        for wanted, token_id, name in ((bos, self.bos_id, "BOS"), (eos, self.eos_id, "EOS")):
            if wanted and token_id is None:
                raise UserError(f"this tokenizer has no {name} token; leave {name.lower()}=False")
        before = [self.bos_id] if bos and self.bos_id is not None else []
        after = [self.eos_id] if eos and self.eos_id is not None else []
        return [*before, *ids, *after] if before or after else ids

    def _decode_skipping(self, ids: Sequence[int]) -> str:
        if self.prefix_at_start:
            kept = self._without_prefixes(ids, skip_special=True)
        else:
            kept = (self.token_bytes(i) for i in ids if i not in self._special_ids)
        return b"".join(kept).decode("utf-8", errors="replace")

    def _without_prefixes(self, ids: Sequence[int], *, skip_special: bool) -> Iterator[bytes]:
        """Bytes of each id, less the space that encoding put before a stretch of text."""
        at_start = True
        for token_id in ids:
            token = self.token_bytes(token_id)
            if token_id in self._special_ids:
                at_start = at_start or self.prefix_after_special
                if not skip_special:
                    yield token
                continue
            yield token.removeprefix(b" ") if at_start else token
            at_start = False

    def _check_roles(self) -> None:
        roles = {"BOS": self.bos_id, "EOS": self.eos_id, "padding": self.pad_id}
        for role, token_id in roles.items():
            if token_id is not None:
                self._check_id(f"the {role} token", token_id)
        for name, token_id in self.special_tokens.items():
            self._check_id(f"the special token {name!r}", token_id)

    def _check_id(self, what: str, token_id: int) -> None:
        if not 0 <= token_id < self.vocab_size:
            raise UserError(
                f"{what} has id {token_id}, outside the vocabulary of {self.vocab_size:,}; "
                "the tokenizer file contradicts itself, get it again"
            )


def check_unicode(text: str) -> None:
    """Raise UserError if `text` holds a lone surrogate, which no UTF-8 text can."""
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = f"U+{ord(text[error.start]):04X}"
        raise UserError(
            f"the text holds the lone surrogate {code} at character {error.start}, which is no "
            "valid Unicode; decode its bytes with errors='replace' first"
        ) from error
