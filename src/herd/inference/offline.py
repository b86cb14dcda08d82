"""Serve a known set of requests to the end, keeping the engine full.

In: an engine, requests. Out: their completions, in the order of the requests.
Never: requests that come while others run; whoever has those calls `submit` and `step`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from herd.foundation import Progress
from herd.inference.completion_builder import CompletionBuilder
from herd.inference.engine import Engine
from herd.inference.request import Completion, Output, Request, ScoreGroup, ScoreRequest


def complete(
    engine: Engine, requests: Sequence[Request], *, progress: Progress | None = None
) -> list[list[Completion]]:
    """Return the samples of each request. `progress` advances by 1 for each request done.

    Raises UserError before any work if one of them could never be served. One that fails under way
    has the finish reason "error".
    """
    answers: list[list[Completion]] = [[] for _ in requests]
    for i, samples in completions(engine, requests):
        answers[i] = samples
        if progress is not None:
            progress.advance(1)
    return answers


def completions(
    engine: Engine, requests: Sequence[Request]
) -> Iterator[tuple[int, list[Completion]]]:
    """Yield (index, samples) of each request once all of its samples are done; as `complete`."""
    builders = [[CompletionBuilder() for _ in range(each.n_samples)] for each in requests]
    n_left = [each.n_samples for each in requests]
    for i, output in run_all(engine, requests):
        builders[i][output.sample].add(output)
        if output.finish_reason:
            n_left[i] -= 1
            if n_left[i] == 0:
                yield i, [builder.completion() for builder in builders[i]]


def run_all(
    engine: Engine, requests: Sequence[Request | ScoreRequest | ScoreGroup]
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
                unfinished[engine.submit(request)] = n_submitted, _n_outputs(request)
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


def _n_outputs(request: Request | ScoreRequest | ScoreGroup) -> int:
    """Return how many last outputs it has."""
    if isinstance(request, Request):
        return request.n_samples
    return len(request.members) if isinstance(request, ScoreGroup) else 1
