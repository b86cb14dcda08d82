"""What does quantisation cost in quality? Each scheme against float32, on the same text.

SmolLM2-135M reads windows of Python's own documentation, which is on every machine, and continues
some of them greedily. Nothing here is about speed. Prints one JSON line last; for each scheme:
    nats_per_token, bits_per_byte  of the text
    ratio             its bits per byte / float32's; 1 is no loss
    kl_nats           divergence of its next-token distribution from float32's, mean over tokens
    same_top          share of tokens whose most likely successor is float32's
    greedy_share      how much of a greedy continuation comes before the first other token, mean
    greedy_identical  share of continuations without any other token

`--llama-cpp` adds llama.cpp's own Q8_0 (greedy figures only; its server gives no more).

    python benchmarks/quantization.py
"""

import argparse
import copy
import json
import math
import pydoc_data.topics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

import herd
from herd.foundation import describe_environment
from herd.inference import GrowingCache
from herd.model import Transformer, quantize_model, save_gguf, weight_bytes
from herd.tokenizer import Tokenizer

MODEL = "smollm2-135m"
SCHEMES = ("int8", "fp8_ffn", "fp8_all")
WINDOW_TOKENS = 512
N_WINDOWS = 16
N_PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 32, 32, 64
PROMPTS_AT_ONCE = 8  # all their logits are held at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--windows", type=int, default=N_WINDOWS)
    parser.add_argument("--llama-cpp", action="store_true")
    arguments = parser.parse_args()
    start = time.perf_counter()
    lm = herd.load(arguments.model, dtype=torch.float32, device="cpu")
    ids = lm.tokenizer.encode(python_documentation())
    models = {"float32": lm.model} | {scheme: quantized(lm.model, scheme) for scheme in SCHEMES}
    with torch.inference_mode():
        quality = read_windows(models, windows(ids, arguments.windows), lm.tokenizer)
        prompts_PT = torch.stack(list(windows(ids, N_PROMPTS, PROMPT_TOKENS)))
        expected_PT = continue_greedily(lm.model, prompts_PT)
        greedy = {
            name: same_prefix(model, prompts_PT, expected_PT) for name, model in models.items()
        }
    if arguments.llama_cpp:
        theirs = llama_cpp_q8(lm, prompts_PT)
        greedy["llama.cpp q8_0"] = [
            first_difference(ours, other)
            for ours, other in zip(expected_PT.tolist(), theirs, strict=True)
        ]
    results = {name: summary(name, quality, greedy, lm.model) for name in greedy}
    print_table(results)
    line = {
        "benchmark": "quantization",
        "value": results["int8"]["ratio"],
        "unit": "bits per byte of int8 divided by those of float32",
        **{f"ratio_{scheme}": results[scheme]["ratio"] for scheme in SCHEMES},
        "model": arguments.model,
        "tokens": arguments.windows * (WINDOW_TOKENS - 1),
        "text": f"pydoc_data.topics of Python {sys.version.split()[0]}",
        "schemes": results,
        "seconds": round(time.perf_counter() - start),
        "environment": describe_environment(),
    }
    print(json.dumps(line, default=str))


def python_documentation() -> str:
    return "\n\n".join(pydoc_data.topics.topics.values())


def windows(
    ids: list[int], n_windows: int, n_tokens: int = WINDOW_TOKENS
) -> Iterator[torch.Tensor]:
    """Yield windows from all over the text, equally far apart."""
    stride = (len(ids) - n_tokens) // n_windows
    for index in range(n_windows):
        yield torch.tensor(ids[index * stride : index * stride + n_tokens])


def quantized(model: Transformer, scheme: str) -> Transformer:
    model = copy.deepcopy(model)
    quantize_model(model, scheme)  # type: ignore[arg-type]
    return model


@dataclass
class Quality:
    """Sums over the tokens read so far."""

    loss_nats: float = 0.0
    kl_nats: float = 0.0
    n_same_top: int = 0
    n_tokens: int = 0
    n_bytes: int = 0


def read_windows(
    models: dict[str, Transformer], texts: Iterator[torch.Tensor], tokenizer: Tokenizer
) -> dict[str, Quality]:
    """Score the windows with every model, the exact one first."""
    quality = {name: Quality() for name in models}
    for ids_T in texts:
        n_bytes = len(tokenizer.decode(ids_T[1:].tolist()).encode())
        exact_TV = torch.empty(0)
        for name, model in models.items():
            logp_TV = model(ids_T[None])[0, :-1].log_softmax(-1)
            exact_TV = exact_TV if len(exact_TV) else logp_TV
            add(quality[name], logp_TV, exact_TV, ids_T[1:], n_bytes)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return quality


def add(
    total: Quality,
    logp_TV: torch.Tensor,
    exact_TV: torch.Tensor,
    next_T: torch.Tensor,
    n_bytes: int,
) -> None:
    total.loss_nats -= logp_TV.gather(1, next_T[:, None]).double().sum().item()
    total.kl_nats += (exact_TV.exp() * (exact_TV - logp_TV)).sum(-1).double().sum().item()
    total.n_same_top += int((logp_TV.argmax(-1) == exact_TV.argmax(-1)).sum())
    total.n_tokens += len(next_T)
    total.n_bytes += n_bytes


def continue_greedily(model: Transformer, prompts_PT: torch.Tensor) -> torch.Tensor:
    """Return the most likely tokens one after the other, shape [prompts, NEW_TOKENS]."""
    cache = GrowingCache(model.config, batch_size=len(prompts_PT))
    tokens_PT, found = prompts_PT, []
    for n_read in range(PROMPT_TOKENS, PROMPT_TOKENS + NEW_TOKENS):
        first = n_read - tokens_PT.shape[1]
        position_1T = torch.arange(first, n_read)[None]
        hidden_PTD = model.hidden(tokens_PT, position_BT=position_1T, cache=cache)
        tokens_PT = model.logits(hidden_PTD[:, -1:]).argmax(-1)
        found.append(tokens_PT)
    return torch.cat(found, dim=1)


def same_prefix(
    model: Transformer, prompts_PT: torch.Tensor, expected_PT: torch.Tensor
) -> list[int]:
    """Return for each prompt how many greedy tokens are the expected ones before one is not.

    One pass over the expected text tells: up to the first difference, both contexts are the same.
    """
    lengths = []
    whole_PT = torch.cat((prompts_PT, expected_PT), dim=1)[:, :-1]
    for rows_BT, expected_BT in zip(
        whole_PT.split(PROMPTS_AT_ONCE), expected_PT.split(PROMPTS_AT_ONCE), strict=True
    ):
        hidden_BTD = model.hidden(rows_BT)[:, PROMPT_TOKENS - 1 :]
        chosen_BT = model.logits(hidden_BTD).argmax(-1)
        pairs = zip(expected_BT.tolist(), chosen_BT.tolist(), strict=True)
        lengths += [first_difference(expected, chosen) for expected, chosen in pairs]
    return lengths


def first_difference(expected: list[int], found: list[int]) -> int:
    """Return the length of the common beginning."""
    for index, (ours, theirs) in enumerate(zip(expected, found, strict=False)):
        if ours != theirs:
            return index
    return min(len(expected), len(found))


def llama_cpp_q8(lm: herd.LanguageModel, prompts_PT: torch.Tensor) -> list[list[int]]:
    """Return llama.cpp's greedy tokens from a Q8_0 file that we write of the same weights."""
    import xllamacpp

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "q8_0.gguf"
        save_gguf(lm.model, path, tokenizer=lm.tokenizer, kind="q8_0")
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.n_gpu_layers = 512, 1, 0
        # One thread: its threads wait for each other by spinning, badly so on a busy machine.
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.warmup, params.verbosity = False, -1
        server = xllamacpp.Server(params)
        request = {"n_predict": NEW_TOKENS, "temperature": 0.0, "n_probs": 1, "cache_prompt": False}
        found = []
        for ids in prompts_PT.tolist():
            answer = server.handle_completions(request | {"prompt": ids})
            steps = answer["choices"][0]["logprobs"]["content"]
            found.append([step["id"] for step in steps])
        return found


def summary(
    name: str, quality: dict[str, Quality], greedy: dict[str, list[int]], model: Transformer
) -> dict[str, float]:
    figures = {
        "greedy_share": round(sum(greedy[name]) / (NEW_TOKENS * len(greedy[name])), 3),
        "greedy_identical": round(greedy[name].count(NEW_TOKENS) / len(greedy[name]), 3),
    }
    if name not in quality:
        return figures
    ours, exact = quality[name], quality["float32"]
    scheme = None if name == "float32" else name
    n_bytes = weight_bytes(model.config, torch.float32, scheme)  # type: ignore[arg-type]
    return {
        "megabytes": round(n_bytes / 1e6, 1),
        "nats_per_token": round(ours.loss_nats / ours.n_tokens, 4),
        "bits_per_byte": round(ours.loss_nats / ours.n_bytes / math.log(2), 4),
        "ratio": round(ours.loss_nats / exact.loss_nats, 5),
        "kl_nats": round(ours.kl_nats / ours.n_tokens, 5),
        "same_top": round(ours.n_same_top / ours.n_tokens, 4),
        **figures,
    }


def print_table(results: dict[str, dict[str, float]]) -> None:
    columns = list(results["float32"])
    print(" ".join(f"{text:>16}" for text in ("scheme", *columns)))
    for name, figures in results.items():
        print(" ".join(f"{text!s:>16}" for text in (name, *(figures.get(c, "") for c in columns))))


if __name__ == "__main__":
    main()
