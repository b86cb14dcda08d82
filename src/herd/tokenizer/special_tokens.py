"""Special tokens: which there are by rule, and what part each plays.

In: names or nothing. Out: Llama 3's 256 names in order; the roles (BOS, EOS, pad, stop) of a set.
Never: text, merges.
Source: Meta's llama-models tokenizer (Llama 3.1 names); 3.0 differs in names only, not in ids.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from herd.foundation import UserError

N_LLAMA3_SPECIAL = 256
LLAMA3_NAMED = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|step_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
    "<|image|>",
)
N_RESERVED_AMONG_NAMED = 2
LLAMA3_SPECIAL: tuple[str, ...] = LLAMA3_NAMED + tuple(
    f"<|reserved_special_token_{N_RESERVED_AMONG_NAMED + i}|>"
    for i in range(N_LLAMA3_SPECIAL - len(LLAMA3_NAMED))
)
# Roles when a file does not assign them, most specific first.
BOS_NAMES = ("<|begin_of_text|>", "<s>", "<|startoftext|>", "[CLS]")
EOS_NAMES = ("<|end_of_text|>", "</s>", "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "[SEP]")
PAD_NAMES = ("<|finetune_right_pad_id|>", "<pad>", "<|pad|>", "[PAD]")
# Every name that ends a turn or a text in a format Herd speaks (Llama 2, Llama 3, ChatML).
STOP_NAMES = frozenset(
    {"<|end_of_text|>", "<|eom_id|>", "<|eot_id|>", "</s>", "<|endoftext|>", "<|im_end|>"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecialTokens:
    """Names with their ids, and the roles; `stop_ids` always holds `eos_id`."""

    ids: Mapping[str, int]
    bos_id: int | None = None
    eos_id: int | None = None
    pad_id: int | None = None
    stop_ids: frozenset[int] = frozenset()
    adds_bos: bool = False
    chat_template: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if len(set(self.ids.values())) != len(self.ids):
            raise UserError("two special tokens share one id; give every special token its own")
        eos = frozenset() if self.eos_id is None else frozenset({self.eos_id})
        object.__setattr__(self, "stop_ids", self.stop_ids | eos)
        object.__setattr__(self, "ids", dict(self.ids))


def roles_by_name(
    ids: Mapping[str, int],
    *,
    bos_id: int | None = None,
    eos_id: int | None = None,
    pad_id: int | None = None,
    stop_ids: Collection[int] = (),
    adds_bos: bool | None = None,
    chat_template: str | None = None,
) -> SpecialTokens:
    """Fill the roles that are not given from the well-known names among `ids`."""
    bos_id = _first_known(BOS_NAMES, ids) if bos_id is None else bos_id
    known_stops = {token_id for name, token_id in ids.items() if name in STOP_NAMES}
    return SpecialTokens(
        ids=ids,
        bos_id=bos_id,
        eos_id=_first_known(EOS_NAMES, ids) if eos_id is None else eos_id,
        pad_id=_first_known(PAD_NAMES, ids) if pad_id is None else pad_id,
        stop_ids=frozenset(known_stops) | frozenset(stop_ids),
        adds_bos=(bos_id is not None) if adds_bos is None else adds_bos,
        chat_template=chat_template,
    )


def numbered_from(first_id: int, names: Collection[str]) -> dict[str, int]:
    """Ids for names in their order, beginning at `first_id`. Raises UserError on a repetition."""
    ids = {name: first_id + offset for offset, name in enumerate(names)}
    if len(ids) != len(names):
        raise UserError("special_tokens names one token twice; remove the repetition")
    if "" in ids:
        raise UserError("special_tokens holds an empty name; remove it")
    return ids


def _first_known(names: tuple[str, ...], ids: Mapping[str, int]) -> int | None:
    return next((ids[name] for name in names if name in ids), None)
