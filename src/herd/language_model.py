"""The Python front door: a model, its tokenizer and its chat format as one object.

In: a name, a directory, a .gguf file or `hf:ORG/NAME`. Out: a `LanguageModel` that continues text,
answers messages and gives logits.
Never: the loop, the formats or the weights themselves; this joins them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack, overload

import torch

from herd.dialog import (
    DialogFormat,
    Message,
    detect_format,
    encode_prompt,
    end_ids,
    format_named,
)
from herd.foundation import UserError, default_device, detect_hardware
from herd.inference import Request, SamplingConfig, TextGeneration
from herd.model import (
    Transformer,
    check_vocabulary,
    find_model,
    load_weights,
    parameter_count,
    read_config,
)
from herd.tokenizer import Tokenizer
from herd.tokenizer import load as load_tokenizer

DEFAULT_NEW_TOKENS = 256
DEFAULT_ANSWER_TOKENS = 1024
DEFAULT_SAMPLING = SamplingConfig()


class Settings(TypedDict, total=False):
    """How to generate.

    Ends at the model's stop token, before a `stop` string, after `max_new_tokens` (256; an answer
    in a chat: 1,024) or where the context is full. `temperature` (0.6) 0 is greedy; `top_p` (0.9),
    `top_k` (0: off) narrow the choice; `seed` (None: another each time) replays it.
    """

    max_new_tokens: int
    temperature: float
    top_p: float
    top_k: int
    seed: int | None
    stop: str | Sequence[str]


def load(
    target: str | Path,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    chat_format: str | None = None,
) -> LanguageModel:
    """Open a model by name, directory (Hugging Face or Meta layout, or a run), .gguf file or hub name.

    A known name that is not on this machine yet is pulled, with progress on stderr. `dtype` None is
    float32 on a CPU with room for it, so that logits are exact, and bfloat16 otherwise.
    `chat_format` (llama2, llama3, chatml) is for models tuned for dialog whose files do not say how.
    Raises UserError when anything is missing, broken, or does not fit together.
    """
    path = find_model(target)
    device = torch.device(device) if device is not None else default_device()
    tokenizer = load_tokenizer(path)
    config = read_config(path)
    check_vocabulary(config, tokenizer, path)
    dtype = dtype or _choose_dtype(parameter_count(config), device)
    model = load_weights(path, dtype=dtype, device=device)
    return LanguageModel(model, tokenizer, name=str(target), chat_format=chat_format)


def _choose_dtype(n_parameters: int, device: torch.device) -> torch.dtype:
    if device.type != "cpu":
        return torch.bfloat16
    # Half the memory: the rest is for the cache, the activations and everybody else.
    fits = 4 * n_parameters <= detect_hardware().memory_bytes / 2
    return torch.float32 if fits else torch.bfloat16


class LanguageModel:
    """Text in, text out. Made by `load`, or from parts that belong together."""

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        *,
        name: str = "model",
        chat_format: str | None = None,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self._chat_format = format_named(chat_format) if chat_format else None

    @torch.inference_mode()
    def logits(self, ids: Sequence[int]) -> torch.Tensor:
        """Return the logits after each of `ids`, float32 [len(ids), vocabulary], on the CPU."""
        context, vocabulary = self.model.config.max_context, self.model.config.vocab_size
        if not 0 < len(ids) <= context:
            raise UserError(f"got {len(ids):,} ids; the model reads 1 to {context:,}")
        if not all(0 <= i < vocabulary for i in ids):
            raise UserError(
                f"ids must lie between 0 and {vocabulary - 1:,}, the model's vocabulary"
            )
        tokens_1T = torch.tensor([list(ids)], device=self.model.output_weight_VD.device)
        return self.model(tokens_1T)[0].float().cpu()  # type: ignore[no-any-return]

    @overload
    def generate(self, prompt: str, **settings: Unpack[Settings]) -> str: ...
    @overload
    def generate(self, prompt: list[str], **settings: Unpack[Settings]) -> list[str]: ...
    def generate(self, prompt: str | list[str], **settings: Unpack[Settings]) -> str | list[str]:
        """Continue `prompt` and return what follows; settings as in `Settings`.

        Of a list, prompt i draws from seed + i, and what it gives does not depend on the others.
        Raises UserError when a prompt does not fit the context.
        """
        if isinstance(prompt, str):
            return _read_out(self.stream(prompt, **settings))
        seed = settings.get("seed")
        texts = []
        for i, one in enumerate(prompt):
            own: Settings = {**settings, "seed": None if seed is None else seed + i}
            texts.append(_read_out(self.stream(one, **own)))
        return texts

    def stream(self, prompt: str, **settings: Unpack[Settings]) -> TextGeneration:
        """Do what `generate` does, as an iterator of text pieces."""
        request = self._request(self._prompt_ids(prompt), self.tokenizer.stop_ids, **settings)
        return TextGeneration(self.model, self.tokenizer, request, stop=_stops(settings))

    def chat(
        self, messages: Iterable[Message | Mapping[str, str]], **settings: Unpack[Settings]
    ) -> Message:
        """Answer a dialog (`[{"role": "user", "content": ...}, ...]`); return the answer.

        Raises UserError for a malformed dialog, one that does not fit the context, or a model that
        was not tuned for dialog.
        """
        return Message("assistant", _read_out(self.chat_stream(messages, **settings)))

    def chat_stream(
        self, messages: Iterable[Message | Mapping[str, str]], **settings: Unpack[Settings]
    ) -> TextGeneration:
        """Do what `chat` does, as an iterator of text pieces."""
        chat_format = self.chat_format
        ids = encode_prompt(messages, self.tokenizer, chat_format)
        settings = {"max_new_tokens": DEFAULT_ANSWER_TOKENS, **settings}
        request = self._request(ids, end_ids(self.tokenizer, chat_format), **settings)
        return TextGeneration(
            self.model, self.tokenizer, request, stop=_stops(settings), continues=False
        )

    @property
    def chat_format(self) -> DialogFormat:
        """Return the format of dialogs: the one given to `load`, or that of the chat template.

        Raises UserError for a model with neither, which is how a base model looks. Special tokens
        would not do as evidence: base models have them in their vocabulary too.
        """
        if self._chat_format is not None:
            return self._chat_format
        if not self.tokenizer.chat_template:
            raise UserError(
                f"{self.name} has no chat template, so it looks like a base model: continue text "
                "with `herd generate`, or name the format it was tuned with (--format llama3)"
            )
        self._chat_format = detect_format(self.tokenizer)
        return self._chat_format

    def _prompt_ids(self, prompt: str) -> list[int]:
        ids = self.tokenizer.encode(prompt, bos=self.tokenizer.adds_bos)
        start = self.tokenizer.bos_id if self.tokenizer.adds_bos else self.tokenizer.eos_id
        # Nothing to continue: a document's beginning is what follows the end of another.
        return ids or ([start] if start is not None else [])

    def _request(
        self,
        ids: Sequence[int],
        stop_ids: frozenset[int],
        *,
        max_new_tokens: int = DEFAULT_NEW_TOKENS,
        temperature: float = DEFAULT_SAMPLING.temperature,
        top_p: float = DEFAULT_SAMPLING.top_p,
        top_k: int = DEFAULT_SAMPLING.top_k,
        seed: int | None = None,
        stop: str | Sequence[str] = (),  # read by `_stops`: it is a matter of text, not of tokens
    ) -> Request:
        return Request(
            prompt=tuple(ids),
            max_new_tokens=max_new_tokens,
            sampling=SamplingConfig(temperature=temperature, top_p=top_p, top_k=top_k),
            seed=seed,
            stop_ids=stop_ids,
            vocab_size=self.tokenizer.vocab_size,
        )


def _stops(settings: Settings) -> tuple[str, ...]:
    stop = settings.get("stop", ())
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _read_out(generation: TextGeneration) -> str:
    for _ in generation:
        pass
    return generation.text
