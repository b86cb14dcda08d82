"""What a tokenizer is, in a few lines.

In: a Tokenizer. Out: a JSON-able dict for people and programs.
Never: printing.
"""

from typing import Any

from herd.tokenizer.tokenizer import Tokenizer

MAX_SHOWN = 16


def describe(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return kind, size, roles, the first special tokens and the fingerprint."""
    special = sorted(tokenizer.special_tokens.items(), key=lambda item: item[1])
    shown = {name: token_id for name, token_id in special[:MAX_SHOWN]}
    return {
        "kind": type(tokenizer).__name__,
        "vocab_size": tokenizer.vocab_size,
        "bos_id": tokenizer.bos_id,
        "eos_id": tokenizer.eos_id,
        "pad_id": tokenizer.pad_id,
        "stop_ids": sorted(tokenizer.stop_ids),
        "adds_bos": tokenizer.adds_bos,
        "n_special": len(special),
        "special_tokens": shown,
        "chat_template": tokenizer.chat_template is not None,
        "fingerprint": tokenizer.fingerprint,
    }
