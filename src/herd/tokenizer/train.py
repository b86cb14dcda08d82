"""Train a byte-level BPE vocabulary of Llama 3's kind on text.

In: texts. Out: a Tokenizer whose ids are those of BPE by ranks.
Never: files, reading a corpus (`herd.data`).
The counting and merging is Hugging Face's Rust trainer; it learns an order of tokens, and the
order is all that Llama 3's file format keeps.
"""

from collections.abc import Iterable, Iterator, Sequence

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from herd.foundation import UserError
from herd.tokenizer.byte_alphabet import CHAR_OF_BYTE, from_alphabet
from herd.tokenizer.byte_level import ByteLevelTokenizer
from herd.tokenizer.long_runs import cut_long_runs
from herd.tokenizer.special_tokens import LLAMA3_SPECIAL, numbered_from, roles_by_name
from herd.tokenizer.split_patterns import LLAMA3_PATTERN
from herd.tokenizer.tokenizer import check_unicode

N_BYTES = 256
MIN_PAIR_COUNT = 2  # a pair seen once teaches nothing
MAX_LEARNT_CHARS = 128  # Llama 3's longest token; bounds what a file of one letter can teach


def train_bpe(
    texts: Iterable[str],
    *,
    vocab_size: int,
    special_tokens: Sequence[str] = LLAMA3_SPECIAL,
) -> ByteLevelTokenizer:
    """Return a tokenizer of at most `vocab_size` ids, the special tokens last and included.

    It has fewer when the texts run out of pairs that occur twice. The same texts give the same
    tokenizer. Raises UserError for too small a `vocab_size`, or texts that are empty.
    """
    n_ordinary = vocab_size - len(special_tokens)
    if n_ordinary < N_BYTES:
        least = N_BYTES + len(special_tokens)
        raise UserError(
            f"vocab_size={vocab_size} leaves no room for 256 bytes and {len(special_tokens)} "
            f"special tokens; choose {least} or more"
        )
    numbered_from(0, special_tokens)  # complains before the long work
    tokens = _learn(texts, n_ordinary)
    # Shards hold no BOS (`herd.data.pack`): a model trained on them never saw one, so none is put.
    roles = roles_by_name(numbered_from(len(tokens), special_tokens), adds_bos=False)
    return ByteLevelTokenizer(tokens, roles)


def _learn(texts: Iterable[str], n_tokens: int) -> list[bytes]:
    """Tokens in the order they were learnt, single bytes first."""
    engine = tokenizers.Tokenizer(models.BPE())
    split = pre_tokenizers.Split(tokenizers.Regex(LLAMA3_PATTERN), "isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    engine.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    trainer = trainers.BpeTrainer(
        vocab_size=n_tokens,
        min_frequency=MIN_PAIR_COUNT,
        special_tokens=[],
        initial_alphabet=list(CHAR_OF_BYTE.values()),
        max_token_length=MAX_LEARNT_CHARS,
        show_progress=False,
    )
    seen = _Counted(texts)
    engine.train_from_iterator(seen, trainer)
    if not seen.n_chars:
        raise UserError("there is no text to train a tokenizer on; check the inputs")
    vocab: dict[str, int] = engine.get_vocab()
    learnt = (from_alphabet(token) for token in sorted(vocab, key=vocab.__getitem__))
    return [token for token in learnt if token]


class _Counted:
    """Passes texts on in pieces that the trainer can take, and counts their characters."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts
        self.n_chars = 0

    def __iter__(self) -> Iterator[str]:
        for text in self._texts:
            check_unicode(text)
            self.n_chars += len(text)
            yield from cut_long_runs(text)
