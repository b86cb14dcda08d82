"""How fast is the engine beside llama.cpp, on the same weights in the same run?

SmolLM2-135M, random tokens as prompts. llama.cpp is the wheel `xllamacpp`, on GGUF files that we write from the same
weights, each in a process of its own, with as many threads as there are cores. Both sides take turns, so that a noisy neighbour slows both; medians
are compared, quartiles printed. Ours is int8 (groups of 32, like Q8_0) unless a key says float32.

    python benchmarks/decode.py

- prefill: 512 tokens to the first token, ours / llama.cpp's best of Q8_0, Q4_0 and F16
- decode: one request, 64 tokens after a prompt of 512; and the share of the measured memory bandwidth it reads
- batch16: 16 requests at once, prompts of 32 tokens, 128 new ones each; all tokens by the clock
- prefix16: 16 samples of one prompt of 1,000 tokens, until all have a first token, over the time without sharing
- kv_waste: bytes of blocks that hold no token, with 16 mixed requests under way
- load_s: a fresh process, from its start to the first token, of a converted int8 directory
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peers.llama_cpp import LlamaCpp, random_tokens

import herd
from herd.foundation import describe_environment, measure_ceilings
from herd.inference import Engine, EngineConfig, Request, SamplingConfig, complete, open_engine
from herd.language_model import LanguageModel
from herd.model import save_gguf, save_hf

MODEL = "smollm2-135m"
N_PROMPT, N_NEW = 512, 64
N_TOGETHER, N_SHORT_PROMPT, N_LONG_ANSWER = 16, 32, 128
N_SHARED_PROMPT = 1000
N_REPEATS, N_REPEATS_TOGETHER = 5, 3  # the latter takes seconds each
PEER_KINDS = ("q8_0", "q4_0", "f16")
TOGETHER_KIND = "q8_0"
GREEDY = SamplingConfig(temperature=0.0)
FIRST_TOKEN = """
import herd, sys
lm = herd.load(sys.argv[1])
print(next(lm.stream("The capital of France is", temperature=0.0)), flush=True)
"""


def main() -> None:
    exact = herd.load(MODEL, dtype=torch.float32, device="cpu")
    quantized = herd.load(MODEL, dtype=torch.float32, device="cpu", quantize="int8")
    with tempfile.TemporaryDirectory() as folder:
        peers = write_peers(exact, Path(folder))
        save_hf(quantized.model, Path(folder) / "int8", tokenizer=quantized.tokenizer)
        load_s = [time_first_token(Path(folder) / "int8") for _ in range(N_REPEATS)]
        result = compare(quantized, exact, peers)
    result |= prefix_sharing(quantized) | {"kv_waste": round(kv_waste(quantized), 4)}
    environment = describe_environment()
    line = {
        "benchmark": "decode",
        **result,
        "load_s": round(statistics.median(load_s), 2),
        "repeats": N_REPEATS,
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def compare(
    quantized: LanguageModel, exact: LanguageModel, files: dict[str, Path]
) -> dict[str, Any]:
    """Return tokens/s of all sides in the three figures that llama.cpp has too, and the ratios."""
    sides = {"int8": Ours(quantized), "float32": Ours(exact)}
    peers = {kind: Peer(path, n_together=1) for kind, path in files.items()}
    crowd = Peer(files[TOGETHER_KIND], n_together=N_TOGETHER)
    everyone = sides | peers
    prefill = in_turns({name: side.prefill for name, side in everyone.items()}, N_REPEATS)
    decode = in_turns({name: side.decode for name, side in everyone.items()}, N_REPEATS)
    batch = in_turns(
        {name: side.together for name, side in (sides | {TOGETHER_KIND: crowd}).items()},
        N_REPEATS_TOGETHER,
    )
    best = max(PEER_KINDS, key=lambda kind: statistics.median(prefill[kind]))
    bandwidth = measure_ceilings(torch.device("cpu")).memory_bytes_per_s
    print_table({"prefill": prefill, "decode": decode, "batch16": batch})
    return {
        "ratio_prefill": ratio(prefill, "int8", best),
        "ratio_decode": ratio(decode, "int8", "q8_0"),
        "ratio_batch16": ratio(batch, "int8", TOGETHER_KIND),
        "ratio_prefill_float32": ratio(prefill, "float32", best),
        "best_peer_prefill": best,
        "tokens_per_s": {
            figure: {name: quartiles(values) for name, values in values_of.items()}
            for figure, values_of in (("prefill", prefill), ("decode", decode), ("batch16", batch))
        },
        "decode_share_of_bandwidth": round(
            statistics.median(decode["int8"]) * weight_bytes_read(quantized) / bandwidth, 3
        ),
    }


class Ours:
    """Our engine, with nothing cached between two runs."""

    def __init__(self, lm: LanguageModel) -> None:
        config = EngineConfig(prefix_caching=False)
        self._engine = open_engine(lm.model, lm.tokenizer, config=config)

    def prefill(self, seed: int) -> float:
        """Return prompt tokens/s, from submitting to the first token."""
        return N_PROMPT / timed(lambda: self._answer([(N_PROMPT, 1)], seed))

    def decode(self, seed: int) -> float:
        """Return new tokens/s after the first."""
        request = request_of(N_PROMPT, N_NEW + 1, seed)
        self._engine.submit(request)
        n_new = 0
        while not n_new:
            n_new += sum(output.id is not None for output in self._engine.step())
        return N_NEW / timed(lambda: run_empty(self._engine))

    def together(self, seed: int) -> float:
        """Return new tokens/s of all requests, prompts included in the time."""
        wanted = [(N_SHORT_PROMPT, N_LONG_ANSWER)] * N_TOGETHER
        return N_TOGETHER * N_LONG_ANSWER / timed(lambda: self._answer(wanted, seed))

    def _answer(self, wanted: list[tuple[int, int]], seed: int) -> None:
        complete(self._engine, [request_of(*each, seed + i) for i, each in enumerate(wanted)])


class Peer:
    """The same questions to llama.cpp."""

    def __init__(self, path: Path, *, n_together: int) -> None:
        n_context = max(N_SHORT_PROMPT + N_LONG_ANSWER, N_PROMPT + N_NEW) + 64
        self._peer = LlamaCpp(path, n_together=n_together, n_context=n_context)

    def prefill(self, seed: int) -> float:
        """Return what llama.cpp itself says."""
        return self._peer.tokens_per_s(n_prompt=N_PROMPT, n_new=1, seed=seed)["prompt"]

    def decode(self, seed: int) -> float:
        """Return what llama.cpp itself says."""
        return self._peer.tokens_per_s(n_prompt=N_PROMPT, n_new=N_NEW, seed=seed)["answer"]

    def together(self, seed: int) -> float:
        """Return new tokens/s of all requests, by the clock, as for ours."""
        return self._peer.tokens_per_s(n_prompt=N_SHORT_PROMPT, n_new=N_LONG_ANSWER, seed=seed)[
            "together"
        ]


def prefix_sharing(lm: LanguageModel) -> dict[str, Any]:
    """Return the time to 16 first tokens with sharing over that without."""

    def first_tokens(*, sharing: bool, seed: int) -> float:
        engine = open_engine(lm.model, lm.tokenizer, config=EngineConfig(prefix_caching=sharing))
        prompt = random_tokens(N_SHARED_PROMPT, seed)
        copies = 1 if sharing else N_TOGETHER
        request = Request(
            prompt=prompt, max_new_tokens=1, n_samples=N_TOGETHER // copies, sampling=GREEDY
        )
        return timed(lambda: complete(engine, [request] * copies))

    shared_s = [first_tokens(sharing=True, seed=seed) for seed in range(2)]
    apart_s = [first_tokens(sharing=False, seed=seed) for seed in range(2)]
    ratio_prefix16 = statistics.median(shared_s) / statistics.median(apart_s)
    return {"ratio_prefix16": round(ratio_prefix16, 4)}


def kv_waste(lm: LanguageModel) -> float:
    """Return the share of held cache bytes without a token, the mean over a run of 16 requests."""
    lengths = [(40 + 60 * i, 100) for i in range(N_TOGETHER)]
    engine = open_engine(lm.model, lm.tokenizer, config=EngineConfig(prefix_caching=False))
    tickets = {engine.submit(request_of(*each, i)): each[0] for i, each in enumerate(lengths)}
    n_new = dict.fromkeys(tickets, 0)
    shares = []
    while engine.has_work:
        for output in engine.step():
            n_new[output.ticket] += output.id is not None
            if output.finish_reason:
                del n_new[output.ticket]
        if len(n_new) == N_TOGETHER and all(n_new.values()):
            # The newest token of each is known but not in the cache yet.
            n_held = sum(tickets[ticket] + n - 1 for ticket, n in n_new.items())
            shares.append(1 - n_held / (16 * engine.n_used_blocks))
    return statistics.mean(shares)


def request_of(n_prompt: int, n_new: int, seed: int) -> Request:
    return Request(prompt=random_tokens(n_prompt, seed), max_new_tokens=n_new, sampling=GREEDY)


def run_empty(engine: Engine) -> None:
    while engine.has_work:
        engine.step()


def write_peers(lm: LanguageModel, folder: Path) -> dict[str, Path]:
    paths = {kind: folder / f"{kind}.gguf" for kind in PEER_KINDS}
    for kind, path in paths.items():
        save_gguf(lm.model, path, tokenizer=lm.tokenizer, kind=kind)
    return paths


def time_first_token(directory: Path) -> float:
    """Return seconds from the start of a process until its first token is read here."""
    command = [sys.executable, "-c", FIRST_TOKEN, str(directory)]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline()
        return time.perf_counter() - started


def weight_bytes_read(lm: LanguageModel) -> int:
    """Return the bytes of weights that one token reads: all but the embedding's."""
    n_weights = sum(p.numel() for name, p in lm.model.state_dict().items() if "weight_q" in name)
    return n_weights * 34 // 32


def in_turns(sides: dict[str, Callable[[int], float]], n_repeats: int) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(-1, n_repeats):  # the first warms up and does not count
        for name, measure in sides.items():
            value = measure(100 * (repeat + 2))
            if repeat >= 0:
                values[name].append(value)
        print(f"round {repeat + 1} of {n_repeats}", file=sys.stderr, flush=True)
    return values


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def ratio(values: dict[str, list[float]], ours: str, peer: str) -> float:
    return round(statistics.median(values[ours]) / statistics.median(values[peer]), 3)


def quartiles(values: list[float]) -> list[float]:
    return [round(value, 1) for value in statistics.quantiles(values, n=4)]


def print_table(figures: dict[str, dict[str, list[float]]]) -> None:
    for figure, values_of in figures.items():
        shown = ", ".join(f"{name} {statistics.median(v):.0f}" for name, v in values_of.items())
        print(f"{figure}, tokens/s: {shown}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
