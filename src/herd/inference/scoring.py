"""How likely given continuations are: for evaluation by choice, perplexity, and preference data.

In: an engine, prompts and continuations in token ids. Out: their log-probabilities.
Never: text; where a continuation begins is for the caller's tokenizer to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from herd.foundation import Progress, UserError
from herd.inference.engine import Engine
from herd.inference.offline import run_all
from herd.inference.request import Score, ScoreRequest


def score(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
    *,
    vocab_size: int | None = None,
    progress: Progress | None = None,
) -> list[Score]:
    """Return the score of `continuations[i]` after `prompts[i]`, for every i.

    What prompts have in common at their beginning is computed once, up to whole blocks, where the
    engine caches prefixes. Raises UserError for lists of unlike lengths, a pair that does not fit,
    or logits that are not numbers.
    """
    if len(prompts) != len(continuations):
        raise UserError(
            f"there are {len(prompts):,} prompts and {len(continuations):,} continuations: give one "
            "continuation for each prompt"
        )
    requests = [
        ScoreRequest(prompt=tuple(prompt), continuation=tuple(after), vocab_size=vocab_size)
        for prompt, after in zip(prompts, continuations, strict=True)
    ]
    # Alike beginnings side by side, so that they are still in the cache when they are needed.
    order = sorted(range(len(requests)), key=lambda i: requests[i].prompt)
    scores: dict[int, Score] = {}
    for at, output in run_all(engine, [requests[i] for i in order]):
        if output.score is None:
            raise UserError(f"item {order[at]} could not be scored: {output.error}")
        scores[order[at]] = output.score
        if progress is not None:
            progress.advance(1)
    return [scores[i] for i in range(len(requests))]
