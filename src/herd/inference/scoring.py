"""How likely given continuations are: for evaluation by choice, perplexity, and preference data.

In: an engine, prompts and continuations in token ids. Out: their log-probabilities.
Never: text; where a continuation begins is for the caller's tokenizer to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from herd.foundation import Progress, UserError
from herd.inference.engine import Engine
from herd.inference.offline import run_all
from herd.inference.request import Score, ScoreGroup, ScoreRequest
from herd.inference.scored_sequence import n_alike

MOST_IN_GROUP = 32  # what is read side by side holds blocks together


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
    found: dict[int, Score] = {}
    for i, one in scores(engine, requests):
        found[i] = one
        if progress is not None:
            progress.advance(1)
    return [found[i] for i in range(len(requests))]


def scores(engine: Engine, requests: Sequence[ScoreRequest]) -> Iterator[tuple[int, Score]]:
    """Yield (index, score) as they come; as `score`."""
    groups = (
        groups_alike(requests)
        if engine.config.prefix_caching
        else [[i] for i in range(len(requests))]
    )
    asked = [ScoreGroup(members=tuple(requests[i] for i in group)) for group in groups]
    for at, output in run_all(engine, asked):
        index = groups[at][output.sample]
        if output.score is None:
            raise UserError(f"item {index} could not be scored: {output.error}")
        yield index, output.score


def groups_alike(requests: Sequence[ScoreRequest], most: int = MOST_IN_GROUP) -> list[list[int]]:
    """Return the requests' numbers in groups that begin alike, alike groups side by side.

    Sorted by tokens, a request joins the group before it if it has the prompt of that group's first,
    or at least as much in common with it as with the request after it. So the answers to one question
    stay together, and questions after the same examples, whose whole blocks the cache keeps, stay apart.
    """
    order = sorted(range(len(requests)), key=lambda i: requests[i].read_tokens)
    groups: list[list[int]] = []
    for at, index in enumerate(order):
        following = requests[order[at + 1]] if at + 1 < len(order) else None
        has_room = bool(groups) and len(groups[-1]) < most
        if has_room and _belongs(requests[index], requests[groups[-1][0]], following):
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _belongs(one: ScoreRequest, first: ScoreRequest, following: ScoreRequest | None) -> bool:
    if one.cache_salt != first.cache_salt:
        return False
    if one.prompt == first.prompt:
        return True
    n_with_first = n_alike(one.read_tokens, first.read_tokens)
    n_with_following = n_alike(one.read_tokens, following.read_tokens) if following else 0
    return n_with_first > 0 and n_with_first >= n_with_following
