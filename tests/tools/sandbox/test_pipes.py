import os
import time
from collections.abc import Iterator

import pytest

from herd.tools.sandbox.pipes import CHUNK_BYTES, Pipes


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes("out", "err", "report", most_bytes=10, free="report")
    yield made
    made.close()


def test_what_is_written_is_read_by_name(pipes: Pipes) -> None:
    os.write(pipes.writing_ends["out"], b"abc")
    os.write(pipes.writing_ends["err"], b"de")
    assert pipes.read(1)
    assert (pipes["out"], pipes["err"], pipes["report"]) == (b"abc", b"de", b"")


def test_silence_is_not_waited_for(pipes: Pipes) -> None:
    began = time.monotonic()
    assert not pipes.read(0.01)
    pipes.drain()
    assert time.monotonic() - began < 5


def test_the_limit_is_for_all_pipes_together(pipes: Pipes) -> None:
    os.write(pipes.writing_ends["out"], b"x" * 10)
    pipes.read(1)
    assert not pipes.overflowed
    os.write(pipes.writing_ends["err"], b"y")
    pipes.read(1)
    assert pipes.overflowed
    assert (pipes["out"], pipes["err"]) == (b"x" * 10, b"")


def test_reading_goes_on_past_the_limit_and_keeps_nothing(pipes: Pipes) -> None:
    for _ in range(10):
        os.write(pipes.writing_ends["out"], b"x" * CHUNK_BYTES)
        assert pipes.read(1)
    assert pipes["out"] == b"x" * 10


def test_the_report_is_outside_the_limit_but_small(pipes: Pipes) -> None:
    for _ in range(3):
        os.write(pipes.writing_ends["report"], b"r" * CHUNK_BYTES)
        pipes.read(1)
    assert not pipes.overflowed
    assert len(pipes["report"]) == CHUNK_BYTES


def test_what_a_dead_writer_left_is_drained() -> None:
    pipes = Pipes("out", most_bytes=2**20, free="")
    try:
        os.set_blocking(pipes.writing_ends["out"], False)
        n_bytes = os.write(pipes.writing_ends["out"], b"x" * 2**20)  # what the pipe holds
        pipes.close_writing_ends()
        pipes.drain()
        assert len(pipes["out"]) == n_bytes
    finally:
        pipes.close()


def test_no_descriptor_is_left_open() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    Pipes("a", "b", most_bytes=1, free="a").close()
    assert sorted(os.listdir("/proc/self/fd")) == before
