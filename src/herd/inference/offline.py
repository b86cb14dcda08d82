"""Serve a known set of requests to the end, keeping the engine full.

In: an engine, requests. Out: their completions, in the order of the requests.
Never: requests that come while others run; whoever has those calls `submit` and `step`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from herd.foundation import Progress
from herd.inference.completion_builder import CompletionBuilder
from herd.inference.engine import Engine
from herd.inference.request import Completion, Output, Request, ScoreRequest


def complete(
    engine: Engine, requests: Sequence[Request], *, progress: Progress | None = None
) -> list[list[Completion]]:
    """Return the samples of each request. `progress` advances by 1 for each request done.

    Raises UserError before any work if one of them could never be served. One that fails under way
    has the finish reason "error".
    """
    builders = [[CompletionBuilder() for _ in range(each.n_samples)] for each in requests]
    n_left = [each.n_samples for each in requests]
    for i, output in run_all(engine, requests):
        builders[i][output.sample].add(output)
        if output.finish_reason:
            n_left[i] -= 1
            if n_left[i] == 0 and progress is not None:
                progress.advance(1)
    return [[builder.completion() for builder in samples] for samples in builders]


def run_all(
    engine: Engine, requests: Sequence[Request | ScoreRequest]
) -> Iterator[tuple[int, Output]]:
    """Serve all requests, however many may wait at a time; yield (index, output) as they come.

    What is still under way when the caller stops listening is cancelled. Outputs of requests that
    others submitted are kept for the next step.
    """
    for request in requests:
        engine.check(request)
    unfinished: dict[int, tuple[int, int]] = {}  # by ticket: index, samples
    others: list[Output] = []
    n_submitted = 0
    try:
        while unfinished or n_submitted < len(requests):
            while n_submitted < len(requests) and engine.has_room:
                request = requests[n_submitted]
                n_samples = request.n_samples if isinstance(request, Request) else 1
                unfinished[engine.submit(request)] = n_submitted, n_samples
                n_submitted += 1
            for output in engine.step():
                if output.ticket not in unfinished:
                    others.append(output)
                    continue
                index, n_samples = unfinished[output.ticket]
                if output.finish_reason:
                    unfinished[output.ticket] = index, n_samples - 1
                    if n_samples == 1:
                        del unfinished[output.ticket]
                yield index, output
    finally:
        for ticket in unfinished:
            engine.cancel(ticket)
        engine.keep(others, without=unfinished.keys())
