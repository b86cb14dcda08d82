"""How well a text is foretold, by how much of it stands before: quality against length.

The same last tokens are scored after more and more of what precedes them. In: a text, a model, lengths.
Out: nats per token at each length, with intervals. Never: other tokens at another length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from herd.evals.evaluated_model import EvaluatedModel, ToScore
from herd.evals.intervals import bootstrap_ratio
from herd.foundation import UserError, progress_bar

SCORED_TOKENS = 64
MOST_PLACES = 12


def reading_curve(
    model: EvaluatedModel, text: str, lengths: Sequence[int], *, seed: int = 0
) -> list[dict[str, Any]]:
    """Return for each length the nats per token of the same stretches of 64 tokens.

    Raises UserError for a text shorter than the longest context, or a context beyond the model's.
    """
    ids = model.tokenizer.encode(text)
    longest = max(lengths)
    if longest > model.max_context:
        raise UserError(f"a context of {longest:,} tokens: the model reads {model.max_context:,}")
    if len(ids) < longest + 1:
        raise UserError(f"the text has {len(ids):,} tokens; a context of {longest:,} needs more")
    n_places = min(MOST_PLACES, 1 + (len(ids) - longest) // SCORED_TOKENS)
    step = max(1, (len(ids) - longest) // n_places)
    ends = [longest + place * step for place in range(n_places)]
    asked = [
        ToScore(
            tuple(ids[end - length : end - SCORED_TOKENS]), tuple(ids[end - SCORED_TOKENS : end])
        )
        for length in lengths
        for end in ends
    ]
    nats = [0.0] * len(asked)
    with progress_bar("reading", len(asked), "stretches") as bar:
        for i, score in model.scores(asked):
            nats[i] = -sum(score.logprobs)
            bar.advance(1)
    rows = []
    for at, length in enumerate(lengths):
        own = nats[at * n_places : (at + 1) * n_places]
        found = bootstrap_ratio(own, [float(SCORED_TOKENS)] * n_places, seed=seed)
        rows.append(
            {"length": length, "nats_per_token": found.score, "ci_low": found.low,
             "ci_high": found.high, "n": n_places}
        )  # fmt: skip
    return rows
