"""An engine on its own thread: answers for every caller, and nobody left waiting."""

import threading
from collections.abc import Callable

import pytest

from herd.foundation import UserError
from herd.inference import Request
from herd.inference.engine import Engine, QueueFullError
from herd.inference.engine_config import EngineConfig
from herd.inference.engine_thread import EngineStoppedError, EngineThread
from herd.inference.offline import complete

TIMEOUT_S = 60.0  # of a test that hangs


def request(i: int, **settings: object) -> Request:
    return Request(prompt=(i % 20, 3), seed=i, **{"max_new_tokens": 9, **settings})


def in_threads(work: Callable[[int], None], n: int) -> None:
    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def test_answers_on_many_threads_are_those_of_one(fake_runner: Callable) -> None:
    expected = complete(Engine(fake_runner(40)), [request(i, n_samples=2) for i in range(12)])
    found: dict[int, list[list[int | None]]] = {}

    def listen(i: int) -> None:
        samples: list[list[int | None]] = [[], []]
        for output in thread.submit(request(i, n_samples=2)):
            samples[output.sample].append(output.id)
        found[i] = samples

    engine = Engine(fake_runner(40))
    with EngineThread(engine) as thread:
        in_threads(listen, 12)
    assert found == {
        i: [list(sample.tokens) for sample in samples] for i, samples in enumerate(expected)
    }
    assert engine.n_used_blocks == 0


def test_a_loop_that_dies_is_reported_to_everybody_who_waits_or_comes_later(
    fake_runner: Callable,
) -> None:
    runner = fake_runner(40)
    thread = EngineThread(Engine(runner, EngineConfig(max_running=2)))
    streams = [thread.submit(request(i, max_new_tokens=100)) for i in range(5)]
    next(streams[0])
    runner.fails = True
    errors: list[BaseException] = []

    def listen(i: int) -> None:
        with pytest.raises(EngineStoppedError, match="has died: RuntimeError: the machine is on"):
            for _ in streams[i]:
                pass
        errors.append(pytest.raises(EngineStoppedError, thread.submit, request(9)).value)

    in_threads(listen, 5)
    assert len(errors) == len(set(map(id, errors))) == 5
    assert all(isinstance(error.__cause__, RuntimeError) for error in errors)
    assert list(streams[0]) == []  # told once
    thread.close()


def test_closing_a_stream_frees_its_blocks(fake_runner: Callable) -> None:
    engine = Engine(fake_runner(40))
    with EngineThread(engine) as thread:
        with thread.submit(request(1, max_new_tokens=100)) as stream:
            next(stream)
        last = list(stream)[-1]
        assert last.finish_reason in ("cancelled", "length")  # it may have been faster
        assert len(list(thread.submit(request(2)))) == 9
        assert not engine.has_work
    assert engine.n_used_blocks == 0


def test_closing_the_thread_tells_who_still_waits(fake_runner: Callable) -> None:
    engine = Engine(fake_runner(40, max_context=100_000), EngineConfig(max_running=1))
    thread = EngineThread(engine)
    streams = [thread.submit(request(i, max_new_tokens=600)) for i in range(3)]
    next(streams[0])
    thread.close()
    for stream in streams[1:]:
        with pytest.raises(EngineStoppedError, match="was closed"):
            list(stream)
    with pytest.raises(EngineStoppedError, match="was closed"):
        thread.submit(request(3))
    assert engine.n_used_blocks == 0
    thread.close()  # again does nothing


def test_what_can_never_be_served_is_refused_where_it_is_submitted(fake_runner: Callable) -> None:
    with EngineThread(Engine(fake_runner(2))) as thread:
        with pytest.raises(UserError, match=r"needs room for .* blocks"):
            thread.submit(request(1, max_new_tokens=100))
        assert len(list(thread.submit(request(1)))) == 9


def test_a_request_that_cannot_start_is_told_so_and_no_other_notices(
    fake_runner: Callable,
) -> None:
    class Broken:
        def start(self) -> None:
            raise ValueError("no such grammar")

    with EngineThread(Engine(fake_runner(40))) as thread:
        streams = [thread.submit(request(1, constraint=c)) for c in (None, Broken(), None)]
        with pytest.raises(ValueError, match="no such grammar"):
            list(streams[1])
        assert [len(list(stream)) for stream in (streams[0], streams[2])] == [9, 9]


def test_a_full_queue_refuses(fake_runner: Callable) -> None:
    gate = threading.Event()
    runner = fake_runner(40)
    run = runner.run
    runner.run = lambda chunks: (gate.wait(TIMEOUT_S), run(chunks))[1]
    config = EngineConfig(max_running=1, max_waiting=2)
    with EngineThread(Engine(runner, config)) as thread:
        streams = []
        with pytest.raises(QueueFullError, match="max_waiting is 2"):
            for i in range(5):
                streams.append(thread.submit(request(i)))
        gate.set()
        assert [len(list(stream)) for stream in streams] == [9] * len(streams)
