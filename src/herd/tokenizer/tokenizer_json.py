"""Open a tokenizer.json: by ranks where it is Llama 3's kind, else as the library reads it.

In: the file's bytes and what its neighbours say about roles. Out: a Tokenizer.
Never: other file types.
"""

import json
import operator
from itertools import chain
from typing import Any

from herd.foundation import UserError
from herd.tokenizer.byte_alphabet import from_alphabet, to_alphabet
from herd.tokenizer.byte_level import ByteLevelTokenizer
from herd.tokenizer.fast_tokenizer import FastTokenizer, merge_pair
from herd.tokenizer.json_spec import Spec
from herd.tokenizer.merges import merges_of_ranks
from herd.tokenizer.special_tokens import SpecialTokens, roles_by_name
from herd.tokenizer.split_patterns import LLAMA3_PATTERN
from herd.tokenizer.tiktoken_file import MAX_TOKEN_BYTES
from herd.tokenizer.tokenizer import Tokenizer

MODEL_TYPES = frozenset({"BPE", "Unigram", "WordPiece", "WordLevel"})
CONTEXT_FLAGS = ("lstrip", "rstrip", "single_word")


def parse_spec(content: bytes, where: str) -> Spec:
    """Return the JSON value with the parts that Herd looks at checked. Raises UserError."""
    try:
        spec: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{where}: not valid JSON ({error}); the file is damaged, get it again"
        ) from error
    model = spec.get("model") if isinstance(spec, dict) else None
    if not isinstance(model, dict) or "vocab" not in model:
        raise UserError(f"{where}: no tokenizer.json (it has no model with a vocabulary)")
    model.setdefault("type", "BPE" if "merges" in model else "WordLevel")
    if model["type"] not in MODEL_TYPES:
        raise UserError(f"{where}: unknown model type {str(model['type'])[:40]!r}")
    if not _is_vocab(model["vocab"]) or not _are_merges(model.get("merges") or []):
        raise UserError(f"{where}: the vocabulary or its merges are malformed; get the file again")
    if not _are_added(spec.get("added_tokens") or []):
        raise UserError(f"{where}: added_tokens are malformed; get the file again")
    checked: Spec = spec
    return checked


def special_ids_of(spec: Spec) -> dict[str, int]:
    """Return the special tokens that the file declares."""
    added = spec.get("added_tokens") or []
    return {token["content"]: token["id"] for token in added if token.get("special")}


def tokenizer_of_spec(spec: Spec, roles: SpecialTokens | None, where: str) -> Tokenizer:
    """Return the tokenizer that the value describes; without `roles` they go by name."""
    roles = roles_by_name(special_ids_of(spec)) if roles is None else roles
    tokens = ranks_of_spec(spec)
    if tokens is not None:
        return ByteLevelTokenizer(tokens, roles)
    return FastTokenizer(spec, roles, where)


def ranks_of_spec(spec: Spec) -> list[bytes] | None:
    """Return the tokens in rank order if the file says exactly what Llama 3's ranks would."""
    if not _has_llama3_pipeline(spec):
        return None
    added = {token["content"] for token in spec.get("added_tokens") or []}
    pairs = [(i, from_alphabet(t)) for t, i in spec["model"]["vocab"].items() if t not in added]
    by_id = dict(pairs)
    tokens = [by_id.get(token_id) for token_id in range(len(pairs))]
    known = [token for token in tokens if token]
    if len(known) != len(pairs) or max(map(len, known), default=0) > MAX_TOKEN_BYTES:
        return None
    if len(set(known)) != len(known) or sum(len(token) == 1 for token in known) != 256:
        return None
    # Compared as written: in GPT-2's alphabet a character is a byte.
    written = [to_alphabet(token) for token in known]
    stated = [merge_pair(merge) for merge in spec["model"]["merges"]]
    return known if stated == merges_of_ranks(written) else None


def _has_llama3_pipeline(spec: Spec) -> bool:
    model = spec["model"]
    odd = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    plain_model = model["type"] == "BPE" and not any(model.get(key) for key in odd)
    by_rank = bool(model.get("ignore_merges")) and not model.get("byte_fallback")
    added = spec.get("added_tokens") or []
    plain_added = all(t.get("special") and not any(t.get(f) for f in CONTEXT_FLAGS) for t in added)
    plain_pipeline = spec.get("normalizer") is None and _cuts_as_llama3(spec.get("pre_tokenizer"))
    return plain_model and by_rank and plain_added and plain_pipeline


def _cuts_as_llama3(pre_tokenizer: Any) -> bool:
    parts = pre_tokenizer.get("pretokenizers") if isinstance(pre_tokenizer, dict) else None
    if not isinstance(parts, list) or len(parts) != 2:
        return False
    split, to_bytes = parts
    return (
        split.get("type") == "Split"
        and split.get("pattern") == {"Regex": LLAMA3_PATTERN}
        and split.get("behavior") == "Isolated"
        and not split.get("invert")
        and to_bytes.get("type") == "ByteLevel"
        and not to_bytes.get("add_prefix_space")
        and not to_bytes.get("use_regex", True)
    )


def _is_vocab(vocab: Any) -> bool:
    if isinstance(vocab, dict):
        return all(type(i) is int and i >= 0 for i in vocab.values())
    return isinstance(vocab, list) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in vocab
    )


def _are_merges(merges: Any) -> bool:
    """Tell whether they are all "a b" or all ["a", "b"], without a Python step for each of them."""
    kinds = set(map(type, merges)) if isinstance(merges, list) else {type(None)}
    if kinds == {list}:
        return set(map(len, merges)) == {2} and set(map(type, chain.from_iterable(merges))) == {str}
    return kinds <= {str} and set(map(_n_spaces, merges)) <= {1}


_n_spaces = operator.methodcaller("count", " ")


def _are_added(added: Any) -> bool:
    return isinstance(added, list) and all(
        isinstance(token, dict)
        and isinstance(token.get("content"), str)
        and token["content"] != ""
        and type(token.get("id")) is int
        and token["id"] >= 0
        for token in added
    )
