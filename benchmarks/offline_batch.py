"""How long do 256 mixed prompts take offline, against `transformers` generate at its best batch size?

SmolLM2-135M, greedy. Prompts of 8 to 256 tokens and answers of 16 to 128, lengths drawn from one seed; every answer has
exactly its length on both sides. The peer pads on the left, runs each batch to the longest answer in it, and sorts by
length first; it runs all prompts at every batch size, in bfloat16 where the processor has it, and its best counts. Ours is
int8, and float32 beside it, with larger steps than the default, since nobody waits for a token. An engine's first batch finds its
cache in memory that the system has yet to give (reported as cold); the figure is that of an engine that has served before,
with prompts that are new to it, before and after the peer. Both count the tokens that were asked for, per second.

    python benchmarks/offline_batch.py
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass

import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM

import herd
from herd.foundation import describe_environment, multiplies_bfloat16
from herd.inference import EngineConfig, Request, SamplingConfig, complete, open_engine
from herd.language_model import LanguageModel
from herd.model import save_hf

MODEL = "smollm2-135m"
N_PROMPTS = 256
PROMPT_TOKENS, NEW_TOKENS = (8, 256), (16, 128)
BATCH_SIZES = (16, 24, 32)
STEP_TOKENS = 1024
GREEDY = SamplingConfig(temperature=0.0)


@dataclass(frozen=True)
class Job:
    """One prompt and the length of its answer."""

    prompt: tuple[int, ...]
    n_new: int


def main() -> None:
    exact = herd.load(MODEL, dtype=torch.float32, device="cpu")
    quantized = Ours(herd.load(MODEL, dtype=torch.float32, device="cpu", quantize="int8"))
    figures = {"int8_cold": quantized.tokens_per_s(mixed_jobs(1))}
    figures["int8"] = quantized.tokens_per_s(mixed_jobs(2))
    peer = Peer(exact)
    by_size = {size: peer.tokens_per_s(mixed_jobs(0), size) for size in BATCH_SIZES}
    figures["peer"] = max(by_size.values())
    figures["int8_again"] = quantized.tokens_per_s(mixed_jobs(3))
    full = Ours(exact)
    figures["float32_cold"] = full.tokens_per_s(mixed_jobs(1))
    figures["float32"] = full.tokens_per_s(mixed_jobs(2))
    int8 = (figures["int8"] + figures["int8_again"]) / 2
    environment = describe_environment()
    line = {
        "benchmark": "offline_batch",
        "ratio": round(int8 / figures["peer"], 3),
        "ratio_cold": round(figures["int8_cold"] / figures["peer"], 3),
        "ratio_float32": round(figures["float32"] / figures["peer"], 3),
        "tokens_per_s": {name: round(value, 1) for name, value in figures.items()},
        "peer_tokens_per_s": {size: round(value, 1) for size, value in by_size.items()},
        "peer_dtype": peer.dtype,
        "prompts": N_PROMPTS,
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def mixed_jobs(seed: int) -> list[Job]:
    """Return prompts of the same lengths for every seed, of other tokens."""
    lengths, tokens = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=lengths))

    def prompt(n_tokens: int) -> tuple[int, ...]:
        return tuple(torch.randint(100, 40_000, (n_tokens,), generator=tokens).tolist())

    return [Job(prompt(draw(*PROMPT_TOKENS)), draw(*NEW_TOKENS)) for _ in range(N_PROMPTS)]


class Ours:
    """An engine that stays open."""

    def __init__(self, lm: LanguageModel) -> None:
        config = EngineConfig(step_tokens=STEP_TOKENS, max_waiting=N_PROMPTS)
        self._engine = open_engine(lm.model, lm.tokenizer, config=config)

    def tokens_per_s(self, jobs: list[Job]) -> float:
        """Return asked-for tokens/s."""
        requests = [Request(prompt=j.prompt, max_new_tokens=j.n_new, sampling=GREEDY) for j in jobs]
        started = time.perf_counter()
        answers = complete(self._engine, requests)
        duration_s = time.perf_counter() - started
        assert [len(samples[0].tokens) for samples in answers] == [job.n_new for job in jobs]
        assert not self._engine.counters.n_cached_tokens
        return report("ours", jobs, duration_s)


class Peer:
    """`transformers` with the same weights."""

    def __init__(self, lm: LanguageModel) -> None:
        self._model = load_peer(lm)
        has_bfloat16 = multiplies_bfloat16("cpu")
        if has_bfloat16:
            self._model = self._model.to(torch.bfloat16)
        self.dtype = "bfloat16" if has_bfloat16 else "float32"

    @torch.inference_mode()
    def tokens_per_s(self, jobs: list[Job], batch_size: int) -> float:
        """Return asked-for tokens/s; alike lengths run together, which is the peer's best case."""
        ordered = sorted(jobs, key=lambda job: (job.n_new, len(job.prompt)))
        started = time.perf_counter()
        for first in range(0, len(ordered), batch_size):
            self._run(ordered[first : first + batch_size])
        return report(f"peer, batch {batch_size}", jobs, time.perf_counter() - started)

    def _run(self, batch: list[Job]) -> None:
        longest = max(len(job.prompt) for job in batch)
        n_new = max(job.n_new for job in batch)
        ids_BT = torch.zeros(len(batch), longest, dtype=torch.long)
        mask_BT = torch.zeros_like(ids_BT)
        for row, job in enumerate(batch):
            ids_BT[row, longest - len(job.prompt) :] = torch.tensor(job.prompt)
            mask_BT[row, longest - len(job.prompt) :] = 1
        self._model.generate(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            max_new_tokens=n_new,
            min_new_tokens=n_new,
            do_sample=False,
            pad_token_id=0,
        )


def load_peer(lm: LanguageModel) -> LlamaForCausalLM:
    with tempfile.TemporaryDirectory() as folder:
        save_hf(lm.model, f"{folder}/hf", tokenizer=lm.tokenizer)
        return AutoModelForCausalLM.from_pretrained(f"{folder}/hf", dtype=torch.float32).eval()


def report(name: str, jobs: list[Job], duration_s: float) -> float:
    tokens_per_s = sum(job.n_new for job in jobs) / duration_s
    say(f"{name}: {len(jobs)} prompts in {duration_s:.1f} s, {tokens_per_s:.0f} tokens/s")
    return tokens_per_s


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
