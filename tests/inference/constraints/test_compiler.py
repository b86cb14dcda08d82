"""What is wrong, impossible or hostile is refused in bounded time; what is known is not asked again."""

import gc
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from herd.foundation import UserError
from herd.inference.constraints.compiler import ConstraintCompiler
from herd.inference.constraints.constraint import Constraint
from herd.inference.constraints.limits import ConstraintLimits
from herd.tokenizer import Tokenizer, train_bpe

# llguidance 1.9 follows references without end: the stack overflows, and the process is gone.
CHAIN = {
    "$defs": {"d0": {}} | {f"d{i + 1}": {"items": {"$ref": f"#/$defs/d{i}"}} for i in range(3000)},
    "$ref": "#/$defs/d3000",
}
MANY = Constraint.json_schema({"enum": [str(i) * 2 for i in range(60_000)]})  # about a second


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_bpe(["the herd grazes"], vocab_size=530)


@pytest.fixture(scope="module")
def compiler(tokenizer: Tokenizer) -> Iterator[ConstraintCompiler]:
    with ConstraintCompiler(tokenizer) as compiler:
        yield compiler


def child_of(compiler: ConstraintCompiler) -> "subprocess.Popen[str]":
    child = compiler._worker._child
    assert child is not None
    return child


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (
            Constraint.json_schema({"allOf": [{"type": "null"}, {"type": "string"}]}),
            "nothing can satisfy",
        ),
        (Constraint.json_schema({"type": "string", "enum": [1, 2]}), "nothing can satisfy"),
        (Constraint.json_schema({"type": "string", "pattern": "a(?=b)"}), "#/pattern: look-around"),
        (Constraint.json_schema({"oneOf": [{"type": "integer"}, {"type": "number"}]}), "#/oneOf"),
        (Constraint.json_schema({"$ref": "http://127.0.0.1/x"}), "not present"),
        (Constraint.json_schema({"type": "string", "maxLength": "a"}), "'maxLength', got \"a\""),
        (Constraint.regex("a(b"), "at character 1: unclosed group"),
        (Constraint.regex(r"(a)\1"), "at character 3: backreferences"),
        (Constraint.regex(r"[^\s\S]"), "no text can satisfy it"),
        (Constraint.regex("(" * 5000 + "a" + ")" * 5000), "refused"),
        (Constraint.grammar("start: nowhere"), 'line 1, column 8: unknown name: "nowhere"'),
        (Constraint.grammar('start: "a" |\nb: ('), "line 2"),
        (Constraint.grammar("start: start"), "no text can satisfy it"),
        (Constraint.json_schema(CHAIN), "breaks its compiler"),
        (Constraint.grammar('a: "b"'), "no start rule"),
    ],
)
def test_what_is_wrong_or_impossible_is_refused(
    compiler: ConstraintCompiler, constraint: Constraint, words: str
) -> None:
    for _ in range(2):  # the second time from memory
        with pytest.raises(UserError, match=words) as refused:
            compiler.compile(constraint)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_what_takes_too_long_is_killed(tokenizer: Tokenizer) -> None:
    limits = ConstraintLimits(time_s=0.05)
    with (
        ConstraintCompiler(tokenizer, limits) as compiler,
        pytest.raises(UserError, match="JSON schema takes longer than .* to compile: make it"),
    ):
        compiler.compile(MANY)


def test_what_takes_too_much_memory_is_refused(tokenizer: Tokenizer) -> None:
    limits = ConstraintLimits(memory_bytes=96 << 20, time_s=60)
    with (
        ConstraintCompiler(tokenizer, limits) as compiler,
        pytest.raises(UserError, match="breaks its compiler .allowed are 96.* of memory"),
    ):
        compiler.compile(MANY)


def test_after_a_worker_has_died_the_next_constraint_is_served(tokenizer: Tokenizer) -> None:
    with ConstraintCompiler(tokenizer) as compiler:
        compiler.compile(Constraint.regex("a"))
        child_of(compiler).kill()
        child_of(compiler).wait()
        assert compiler.compile(Constraint.regex("b")).start().allowed_mask().any()
        with pytest.raises(UserError, match="breaks its compiler"):
            compiler.compile(Constraint.json_schema(CHAIN))
        assert compiler.compile(Constraint.regex("c")).start().allowed_mask().any()


def test_the_worker_is_asked_once_about_equal_constraints(tokenizer: Tokenizer) -> None:
    with ConstraintCompiler(tokenizer, ConstraintLimits(n_cached=2)) as compiler:
        compiler.compile(Constraint.regex("a"))
        first = child_of(compiler)
        for pattern in ("b", "a", "c"):
            compiler.compile(Constraint.regex(pattern))
        assert child_of(compiler) is first
        first.kill()
        first.wait()
        compiler.compile(Constraint.regex("a"))  # known: no worker needed
        assert child_of(compiler) is first
        compiler.compile(Constraint.regex("b"))  # dropped for "c"
        assert child_of(compiler) is not first


def test_the_worker_ends_with_its_compiler(tokenizer: Tokenizer) -> None:
    forgotten = ConstraintCompiler(tokenizer)
    forgotten.compile(Constraint.regex("a"))
    child = child_of(forgotten)
    del forgotten
    gc.collect()
    assert child.wait(timeout=30) is not None
    closed = ConstraintCompiler(tokenizer)
    closed.close()
    closed.compile(Constraint.regex("a"))
    child = child_of(closed)
    closed.close()
    closed.close()
    assert child.poll() is not None


def test_several_threads_may_compile(compiler: ConstraintCompiler) -> None:
    counts: list[int] = []

    def work(index: int) -> None:
        for round_index in range(5):
            constraint = Constraint.regex("x" * (1 + (index + round_index) % 3))
            counts.append(int(compiler.compile(constraint).start().allowed_mask().sum()))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 20 and min(counts) >= 1


def test_stop_tokens_and_the_length_of_masks_are_the_requests(compiler: ConstraintCompiler) -> None:
    constraint = Constraint.regex("a?")
    mask_V = compiler.compile(constraint, stop_ids={5}, vocab_size=1000).start().allowed_mask()
    assert mask_V.shape == (1000,) and mask_V[5]
    assert not mask_V[compiler.vocabulary.n_ids :].any()
    assert not mask_V[sorted(compiler.vocabulary.special_ids)].any()
    default_V = compiler.compile(constraint).start().allowed_mask()
    assert default_V.shape == (compiler.vocabulary.n_ids,) and not default_V[5]


@pytest.mark.parametrize("wrong", [{"time_s": 0}, {"time_s": float("nan")}, {"n_cached": 0}])
def test_limits_that_allow_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="give"):
        ConstraintLimits(**wrong)
