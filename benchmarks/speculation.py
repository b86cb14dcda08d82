"""What does guessing ahead by look-up save, where answers quote their prompt and where they do not?

SmolLM2-135M, int8, one request at a time, greedy, 128 new tokens; the same prompts with and without look-up, taking
turns, medians compared. Prompts of 200 tokens are from Python's own documentation, which is on every machine.

- quoting: a passage twice, the second time cut after 16 tokens; the model goes on copying it
- fresh: the passage once; the model goes on by itself

    python benchmarks/speculation.py
"""

import json
import pydoc_data.topics
import statistics
import sys
import time

import torch

import herd
from herd.foundation import describe_environment
from herd.inference import Engine, PromptLookup, Request, SamplingConfig, complete, open_engine

MODEL = "smollm2-135m"
N_PASSAGE, N_BEGUN, N_NEW = 200, 16, 128
N_PROMPTS = 8
GREEDY = SamplingConfig(temperature=0.0)


def main() -> None:
    lm = herd.load(MODEL, dtype=torch.float32, device="cpu", quantize="int8")
    plain = open_engine(lm.model, lm.tokenizer)
    guessing = open_engine(lm.model, lm.tokenizer, proposer=PromptLookup())
    ids = lm.tokenizer.encode("\n\n".join(pydoc_data.topics.topics.values()))
    passages = [tuple(ids[i : i + N_PASSAGE]) for i in range(0, 1000 * N_PROMPTS, 1000)]
    line = {
        "benchmark": "speculation",
        "quoting": compare(plain, guessing, [p + p[:N_BEGUN] for p in passages]),
        "fresh": compare(plain, guessing, passages),
        "prompts": N_PROMPTS,
        "hardware": describe_environment()["hardware"],
        "commit": describe_environment()["commit"],
    }
    print(json.dumps(line))


def compare(plain: Engine, guessing: Engine, prompts: list[tuple[int, ...]]) -> dict[str, float]:
    """Return new tokens/s of both, their ratio, and how many of the guesses were right."""
    counters = guessing.counters
    before = counters.n_proposed_tokens, counters.n_accepted_tokens
    rates: dict[str, list[float]] = {"plain": [], "guessing": []}
    for prompt in prompts:
        answers = []
        for name, engine in (("plain", plain), ("guessing", guessing)):
            rate, tokens = answer(engine, prompt)
            rates[name].append(rate)
            answers.append(tokens)
        assert answers[0] == answers[1], "guessing changed an answer"
    n_proposed = counters.n_proposed_tokens - before[0]
    n_accepted = counters.n_accepted_tokens - before[1]
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"{medians}, {n_accepted} of {n_proposed} guesses right", file=sys.stderr, flush=True)
    return {
        "ratio": round(medians["guessing"] / medians["plain"], 3),
        "tokens_per_s_plain": round(medians["plain"], 1),
        "tokens_per_s_guessing": round(medians["guessing"], 1),
        "accepted_share": round(n_accepted / max(1, n_proposed), 3),
    }


def answer(engine: Engine, prompt: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
    """Return new tokens/s and the new tokens; the prompt is in the cache before the clock starts."""
    complete(engine, [Request(prompt=prompt, max_new_tokens=1, sampling=GREEDY)])
    request = Request(prompt=prompt, max_new_tokens=N_NEW, sampling=GREEDY)
    started = time.perf_counter()
    ((completion,),) = complete(engine, [request])
    return N_NEW / (time.perf_counter() - started), tuple(completion.tokens)


if __name__ == "__main__":
    main()
