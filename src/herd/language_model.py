"""The Python front door: a model, its tokenizer and its chat format as one object.

In: a name, a directory, a .gguf file or `hf:ORG/NAME`. Out: a `LanguageModel` that continues text,
answers messages and gives logits.
Never: the loop, the formats or the weights themselves; this joins them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import UnionType
from typing import Unpack, overload

import torch

from herd.dialog import (
    DialogFormat,
    Message,
    detect_format,
    encode_prompt,
    end_ids,
    format_named,
)
from herd.foundation import (
    UserError,
    default_device,
    detect_hardware,
    format_bytes,
    progress_bar,
)
from herd.inference import (
    Completion,
    ConstraintCompiler,
    DraftModel,
    Engine,
    EngineConfig,
    FreshEngine,
    PromptLookup,
    Proposer,
    Request,
    Score,
    Settings,
    TextGeneration,
    check_draft,
    check_seed,
    complete,
    open_runner,
    request_of,
    score,
)
from herd.model import (
    ModelConfig,
    QuantizationScheme,
    Transformer,
    check_vocabulary,
    find_model,
    load_weights,
    parameter_count,
    read_config,
    weight_bytes,
)
from herd.tokenizer import Tokenizer
from herd.tokenizer import load as load_tokenizer

DEFAULT_ANSWER_TOKENS = 1024


def load(
    target: str | Path,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    chat_format: str | None = None,
    quantize: QuantizationScheme | None = None,
    draft: str | Path | None = None,
    cache_bytes: int | None = None,
    engine: EngineConfig | None = None,
) -> LanguageModel:
    """Open a model by name, directory (Hugging Face or Meta layout, or a run), .gguf file or hub name.

    A known name that is not on this machine yet is pulled, with progress on stderr. `dtype` None is
    float32 on a CPU with room for it, so that logits are exact, and bfloat16 otherwise.
    `chat_format` (llama2, llama3, chatml) is for models tuned for dialog whose files do not say how.
    `quantize` "int8" is the fastest on a CPU; "fp8_ffn" is the Llama 3 paper's for GPUs. `draft`
    guesses tokens ahead: "lookup", or a smaller model of the same vocabulary; answers stay the same.
    `cache_bytes` and `engine` are for `open_engine`. Raises UserError when anything is missing,
    broken, does not fit together, or does not fit the memory.
    """
    _check_type("target", target, str | Path, "a name or a path")
    _check_type("draft", draft, str | Path | None, "lookup, or the name or path of a smaller model")
    _check_type("engine", engine, EngineConfig | None, "an EngineConfig")
    _check_dtype(dtype)
    device = _checked_device(device)
    path = find_model(target)
    tokenizer = load_tokenizer(path)
    config = read_config(path)
    check_vocabulary(config, tokenizer, path)
    dtype = dtype or _choose_dtype(parameter_count(config), device)
    _check_memory(config, dtype, device, quantize, str(target))
    model = load_weights(path, dtype=dtype, device=device, scheme=quantize)
    new_proposer = None
    if draft is not None:
        new_proposer = _proposers(draft, config, tokenizer, dtype, device, quantize)
    return LanguageModel(
        model,
        tokenizer,
        name=str(target),
        chat_format=chat_format,
        cache_bytes=cache_bytes,
        engine=engine,
        new_proposer=new_proposer,
    )


def _check_type(name: str, value: object, kind: type | UnionType, wanted: str) -> None:
    if not isinstance(value, kind):
        raise UserError(f"{name} is {value!r:.60}: give {wanted}")


def _check_dtype(dtype: object) -> None:
    is_known = isinstance(dtype, torch.dtype) and dtype.is_floating_point and dtype.itemsize > 1
    if dtype is not None and not is_known:
        raise UserError(f"dtype is {dtype!r:.60}: give torch.float32, torch.bfloat16 or the like")


def _checked_device(device: torch.device | str | None) -> torch.device:
    try:
        chosen = default_device() if device is None else torch.device(device)
    except RuntimeError as error:
        raise UserError(f"there is no device {device!r}: give cpu, cuda or cuda:1") from error
    if chosen.type == "meta" or (chosen.type == "cuda" and not torch.cuda.is_available()):
        raise UserError(f"PyTorch has no {chosen.type} device to run on here: give another, or cpu")
    return chosen


def _check_texts(name: str, texts: object) -> None:
    if not isinstance(texts, Sequence) or isinstance(texts, str):
        raise UserError(f"{name} is {texts!r:.60}: give a list of texts")
    for text in texts:
        if not isinstance(text, str):
            raise UserError(f"{name} holds {text!r:.60}: give texts")


def _proposers(
    draft: str | Path,
    config: ModelConfig,
    tokenizer: Tokenizer,
    dtype: torch.dtype,
    device: torch.device,
    quantize: QuantizationScheme | None,
) -> Callable[[], Proposer]:
    """Return what makes a proposer for each new engine: a look-up, or a model loaded once."""
    if draft == "lookup":
        return PromptLookup
    try:
        small = load(draft, dtype=dtype, device=device, quantize=quantize)
    except UserError as error:
        raise UserError(f"the draft: {error}; lookup needs no model") from error
    check_draft(
        small.model.config, config, draft_tokenizer=small.tokenizer, target_tokenizer=tokenizer
    )
    return lambda: DraftModel(open_runner(small.model), target=config)


def _check_memory(
    config: ModelConfig,
    dtype: torch.dtype,
    device: torch.device,
    quantize: QuantizationScheme | None,
    name: str,
) -> None:
    """Refuse what cannot fit before any of it is read."""
    if device.type != "cpu":
        return
    needed_bytes, there_bytes = (
        weight_bytes(config, dtype, quantize),
        detect_hardware().memory_bytes,
    )
    if needed_bytes > there_bytes:
        raise UserError(
            f"{name} has {parameter_count(config):,} parameters, {format_bytes(needed_bytes)} in "
            f"{str(dtype).removeprefix('torch.')}, but this machine has {format_bytes(there_bytes)} "
            "of memory: take a smaller model, a narrower dtype or a larger machine"
        )


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
        cache_bytes: int | None = None,
        engine: EngineConfig | None = None,
        new_proposer: Callable[[], Proposer] | None = None,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self._chat_format = format_named(chat_format) if chat_format else None
        self._engine = FreshEngine(
            model, tokenizer, config=engine, cache_bytes=cache_bytes, new_proposer=new_proposer
        )

    @property
    def engine(self) -> Engine:
        """Return the engine that all text comes from, for the weights as they are now."""
        return self._engine.current

    @cached_property
    def _compiler(self) -> ConstraintCompiler:
        """Made when the first constraint comes: it spells out the whole vocabulary."""
        return ConstraintCompiler(self.tokenizer)

    @torch.inference_mode()
    def logits(self, ids: Sequence[int]) -> torch.Tensor:
        """Return the logits after each of `ids`, float32 [len(ids), vocabulary], on the CPU."""
        context, vocabulary = self.model.config.max_context, self.model.config.vocab_size
        try:
            ids = [operator.index(i) for i in ids]
        except TypeError as error:
            wanted = "encode a text with lm.tokenizer.encode"
            raise UserError(f"logits takes token ids, not {ids!r:.60}: {wanted}") from error
        if not 0 < len(ids) <= context:
            raise UserError(f"got {len(ids):,} ids; the model reads 1 to {context:,}")
        if not all(0 <= i < vocabulary for i in ids):
            raise UserError(
                f"ids must lie between 0 and {vocabulary - 1:,}, the model's vocabulary"
            )
        tokens_1T = torch.tensor([ids], device=self.model.embedding.weight.device)
        return self.model(tokens_1T)[0].float().cpu()  # type: ignore[no-any-return]

    @overload
    def generate(self, prompt: str, **settings: Unpack[Settings]) -> str: ...
    @overload
    def generate(self, prompt: list[str], **settings: Unpack[Settings]) -> list[str]: ...
    def generate(self, prompt: str | list[str], **settings: Unpack[Settings]) -> str | list[str]:
        """Continue `prompt` and return what follows; settings as in `Settings`.

        A list runs together, with progress on stderr; prompt i draws from seed + i, and what it
        gives does not depend on the others. Raises UserError when a prompt does not fit the context.
        """
        if isinstance(prompt, str):
            return _read_out(self.stream(prompt, **settings))
        _check_texts("prompt", prompt)
        seed = settings.get("seed")
        check_seed(seed)
        requests = []
        for i, one in enumerate(prompt):
            own: Settings = {**settings, "seed": None if seed is None else seed + i}
            requests.append(self._request(self._prompt_ids(one), self.tokenizer.stop_ids, own))
        with progress_bar("generating", len(requests), "prompts") as progress:
            answers = complete(self.engine, requests, progress=progress)
        return [_text_of(samples[0]) for samples in answers]

    def stream(self, prompt: str, **settings: Unpack[Settings]) -> TextGeneration:
        """Do what `generate` does, as an iterator of text pieces."""
        request = self._request(self._prompt_ids(prompt), self.tokenizer.stop_ids, settings)
        return TextGeneration(self.engine, request)

    def score(self, prompts: Sequence[str], continuations: Sequence[str]) -> list[Score]:
        """Return how likely `continuations[i]` is after `prompts[i]`: a log-probability a token.

        Beginnings that prompts share are computed once. Spaces at a prompt's end count to the
        continuation, as in lm-evaluation-harness: tokens begin with them. Raises UserError for lists
        of unlike lengths, an empty continuation, or a pair that does not fit the context.
        """
        _check_texts("prompts", prompts)
        _check_texts("continuations", continuations)
        if len(prompts) != len(continuations):
            raise UserError(
                f"{len(prompts):,} prompts but {len(continuations):,} continuations: give as many"
            )
        pairs = [self._split(*pair) for pair in zip(prompts, continuations, strict=True)]
        with progress_bar("scoring", len(pairs), "pairs") as progress:
            return score(
                self.engine,
                [prompt for prompt, _ in pairs],
                [continuation for _, continuation in pairs],
                vocab_size=self.tokenizer.vocab_size,
                progress=progress,
            )

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
        """Do what `chat` does, as an iterator of text pieces.

        What the dialog has in common with earlier ones is not computed again.
        """
        chat_format = self.chat_format
        ids = encode_prompt(messages, self.tokenizer, chat_format)
        settings = {"max_new_tokens": DEFAULT_ANSWER_TOKENS, **settings}
        stop_ids = end_ids(self.tokenizer, chat_format)
        request = self._request(ids, stop_ids, settings, continues=False)
        return TextGeneration(self.engine, request)

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
        if not isinstance(prompt, str):
            raise UserError(f"the prompt is a {type(prompt).__name__}: give text")
        ids = self.tokenizer.encode(prompt, bos=self.tokenizer.adds_bos)
        start = self.tokenizer.bos_id if self.tokenizer.adds_bos else self.tokenizer.eos_id
        # Nothing to continue: a document's beginning is what follows the end of another.
        return ids or ([start] if start is not None else [])

    def _split(self, prompt: str, continuation: str) -> tuple[list[int], list[int]]:
        """Return the ids of both, cut where the prompt's own ids end."""
        kept = prompt.rstrip()
        prompt_ids = self._prompt_ids(kept)
        if kept:
            continuation_ids = self._prompt_ids(prompt + continuation)[len(prompt_ids) :]
        else:
            continuation_ids = self.tokenizer.encode(prompt + continuation, bos=False)
        if not continuation or not continuation_ids:
            raise UserError(f"the continuation {continuation!r} has no token of its own to score")
        return prompt_ids, continuation_ids

    def _request(
        self,
        ids: Sequence[int],
        stop_ids: frozenset[int],
        settings: Settings,
        *,
        continues: bool = True,
    ) -> Request:
        return request_of(
            ids,
            settings,
            stop_ids=stop_ids,
            vocab_size=self.tokenizer.vocab_size,
            compiler=lambda: self._compiler,
            continues=continues,
        )


def _read_out(generation: TextGeneration) -> str:
    for _ in generation:
        pass
    return generation.text


def _text_of(completion: Completion) -> str:
    if completion.finish_reason == "error":
        raise UserError(completion.error)
    return completion.text
