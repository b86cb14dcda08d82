"""The child process that compiles constraints first, where a hostile one harms nobody.

In: lines of JSON on standard input: the vocabulary and limits once, then one grammar a line.
Out: one line of JSON each: `{"error": ""}` or what llguidance said. Never: anything of Herd.
It is run by its path, so that it starts in a tenth of a second without torch; the engine's process
imports the same functions, so that what was proven here is what is built there.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import llguidance

END_NAME = b"<|end of a constrained answer|>"
DEAD_END = "NoExtensionBias"  # llguidance's word where no token may follow
TRIAL_STEPS = 32
SPARE_CPU_S = 5
STACK_BYTES = 1 << 20


class Vocabulary:
    """Tokens in the shape that llguidance asks for; the last id is the end."""

    is_tokenizer_wrapper = True
    bos_token_id: int | None = None

    def __init__(self, tokens: Sequence[bytes], special_ids: Sequence[int]) -> None:
        self.tokens = [*tokens, END_NAME]
        self.eos_token_id = len(tokens)
        self.special_token_ids = [*special_ids, len(tokens)]

    def __call__(self, text: str | bytes) -> list[int]:
        """Encode nothing: llguidance asks only where it forces tokens, which every grammar forbids."""
        return []


def build_tokenizer(tokens: Sequence[bytes], special_ids: Sequence[int]) -> llguidance.LLTokenizer:
    """Return llguidance's tokenizer, with one id more than there are tokens: the end."""
    return llguidance.LLTokenizer(Vocabulary(tokens, special_ids))  # type: ignore[arg-type]


def build_matcher(
    tokenizer: llguidance.LLTokenizer, grammar: str, limits: dict[str, int]
) -> llguidance.LLMatcher:
    """Return a matcher at its beginning, first mask computed; it may be in its error state."""
    matcher = llguidance.LLMatcher(
        tokenizer,
        grammar,
        log_level=0,
        limits=llguidance.LLParserLimits(
            max_items_in_row=limits["max_items_in_row"],
            initial_lexer_fuel=limits["initial_lexer_fuel"],
            step_lexer_fuel=limits["step_lexer_fuel"],
            step_max_items=limits["step_max_items"],
            max_lexer_states=limits["max_lexer_states"],
            max_grammar_size=limits["max_grammar_size"],
            verbose_errors=False,
        ),
    )
    if not matcher.is_error():
        matcher.compute_bitmask()
    return matcher


def try_steps(matcher: llguidance.LLMatcher, end_id: int) -> str:
    """Walk a copy through allowed tokens, spread evenly; return the error met, if any."""
    walker = matcher.deep_copy()
    for step in range(TRIAL_STEPS):
        if walker.is_stopped():
            break
        bits = int.from_bytes(walker.compute_bitmask(), "little") & ((1 << end_id) - 1)
        if walker.is_error() or not bits:
            break
        if not walker.consume_token(_some_bit(bits, end_id * (step % 7) // 7)):
            break
    error = walker.get_error()
    return "" if error.startswith(DEAD_END) else error


def _some_bit(bits: int, start: int) -> int:
    """The first set bit from `start` on, or else the first of all."""
    rest = bits >> start
    if rest:
        return start + ((rest & -rest).bit_length() - 1)
    return (bits & -bits).bit_length() - 1


def serve() -> None:
    """Answer the parent until it closes the pipe."""
    setup = json.loads(sys.stdin.readline())
    _limit_memory(setup["memory_bytes"])
    limits = setup["limits"]
    tokens = [base64.b64decode(token) for token in setup["tokens"]]
    tokenizer = build_tokenizer(tokens, setup["special_ids"])
    _answer("")
    for line in sys.stdin:
        _limit_processor(setup["time_s"])
        _on_small_stack(partial(_judge, tokenizer, len(tokens), json.loads(line), limits))


def _judge(
    tokenizer: llguidance.LLTokenizer, end_id: int, grammar: str, limits: dict[str, int]
) -> None:
    try:
        matcher = build_matcher(tokenizer, grammar, limits)
        _answer(matcher.get_error() or try_steps(matcher, end_id))
    except (ValueError, RuntimeError) as error:
        _answer(str(error))


def _on_small_stack(job: Callable[[], None]) -> None:
    """Run where a deep recursion crashes sooner than in any thread that may build the same later."""
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=job)
    thread.start()
    thread.join()


def _answer(error: str) -> None:
    print(json.dumps({"error": error}), flush=True)


def _limit_memory(n_bytes: int) -> None:
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = n_bytes if hard == resource.RLIM_INFINITY else min(n_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _limit_processor(time_s: float) -> None:
    """A second guard: should the parent die, nobody is left to kill what never ends."""
    if sys.platform != "win32":
        import resource

        usage: Any = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        soft = int(usage.ru_utime + usage.ru_stime + time_s) + SPARE_CPU_S
        soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


if __name__ == "__main__":
    serve()
