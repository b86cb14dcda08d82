"""What a model answers to the prompts of a comparison: together, each once, kept as they come.

In: an `EvaluatedModel`, dialogs, settings. Out: answers in order, and what a reader should know of them.
Never: the engine; it is handed in.
"""

from collections.abc import Sequence
from pathlib import Path

from herd.evals.answer_cache import AnswerCache, continuation_key
from herd.evals.arena.duel import Messages
from herd.evals.arena.text import unicode_text
from herd.evals.evaluated_model import EvaluatedModel, ToContinue
from herd.foundation import UserError, progress_bar


def answer_dialogs(
    model: EvaluatedModel,
    dialogs: Sequence[Messages],
    *,
    max_new_tokens: int = 1024,
    temperature: float = 0.6,
    top_p: float = 0.9,
    seed: int = 0,
    cache_path: Path | None = None,
) -> tuple[list[str], list[str]]:
    """Return an answer for each dialog, and notes; answers that `cache_path` has are not asked again.

    Raises UserError for a model that was not tuned for dialog, or a dialog that it cannot answer.
    """
    asked = [
        ToContinue(
            prompt=tuple(model.chat_ids(messages)), max_new_tokens=max_new_tokens,
            temperature=temperature, top_p=top_p, seed=seed + i, is_chat=True,
        )
        for i, messages in enumerate(dialogs)
    ]  # fmt: skip
    with AnswerCache(cache_path) as cache:
        _ask(model, asked, cache)
        found = [cache.get(continuation_key(one)) for one in asked]
    n_cut = sum(reason == "length" for _, reason in found)
    notes = [f"{n_cut:,} answers ended by the budget of tokens"] if n_cut else []
    return [text for text, _ in found], notes


def _ask(model: EvaluatedModel, asked: Sequence[ToContinue], cache: AnswerCache) -> None:
    left = [one for one in asked if cache.get(continuation_key(one)) is None]
    done = len(asked) - len(left)
    with progress_bar(f"answers of {model.name}", len(asked), "prompts", done=done) as progress:
        for i, samples in model.continuations(left):
            answer = samples[0]
            if answer.finish_reason == "error":
                raise UserError(f"{model.name} cannot answer a prompt: {answer.error}")
            key = continuation_key(left[i])
            cache.put(key, [unicode_text(answer.text), answer.finish_reason])
            progress.advance()
