"""llama.cpp on one GGUF file, in a process of its own, asked over a pipe.

In its own process because several servers in one share OpenMP's pool of threads, which then waits asleep instead of
spinning: llama.cpp decodes at half its speed that way. Between two questions the process sleeps.

    with LlamaCpp(path, n_together=1, n_context=640) as peer:
        peer.tokens_per_s(n_prompt=512, n_new=64, seed=0)  # what llama.cpp says of prompt and answer, and the clock
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch


class LlamaCpp:
    """The asking end."""

    def __init__(self, path: Path, *, n_together: int, n_context: int) -> None:
        command = [sys.executable, __file__, str(path), str(n_together), str(n_context)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> "LlamaCpp":
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def tokens_per_s(self, *, n_prompt: int, n_new: int, seed: int) -> dict[str, float]:
        """Return `prompt` and `answer` tokens/s by llama.cpp's own clock (of the first request),
        and `together`: all requests' new tokens by ours, prompts included in the time.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([n_prompt, n_new, seed]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("llama.cpp has died; is the GGUF file whole, is there memory?")
        values: dict[str, float] = json.loads(line)
        return values


def random_tokens(n: int, seed: int) -> tuple[int, ...]:
    """Return the prompt that both sides read."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(100, 40_000, (n,), generator=generator).tolist())


def serve(path: str, n_together: int, n_context: int) -> None:
    """Answer questions from standard input until it ends."""
    import xllamacpp

    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # llama.cpp is talkative
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_parallel, params.n_gpu_layers = n_together, 0
    params.n_ctx = n_together * n_context
    n_threads = len(os.sched_getaffinity(0))
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = n_threads
    params.warmup, params.verbosity = True, -1
    server = xllamacpp.Server(params)
    for line in sys.stdin:
        n_prompt, n_new, seed = json.loads(line)
        print(json.dumps(ask(server, n_together, n_prompt, n_new, seed)), file=answers, flush=True)


def ask(server: Any, n_together: int, n_prompt: int, n_new: int, seed: int) -> dict[str, float]:
    timings: list[dict[str, Any]] = []

    def ask_one(i: int) -> None:
        request = {
            "prompt": list(random_tokens(n_prompt, seed + i)),
            "n_predict": n_new,
            "temperature": 0.0,
            "cache_prompt": False,
            "ignore_eos": True,
        }
        timings.append(server.handle_completions(request)["timings"])

    threads = [threading.Thread(target=ask_one, args=(i,)) for i in range(n_together)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    duration_s = time.perf_counter() - started
    assert [each["predicted_n"] for each in timings] == [n_new] * n_together, timings
    return {
        "prompt": timings[0]["prompt_per_second"],
        "answer": timings[0]["predicted_per_second"],
        "together": n_together * n_new / duration_s,
    }


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
