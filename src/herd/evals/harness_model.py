"""lm-evaluation-harness's model interface over whatever answers here.

In: the harness's requests, in text. Out: log-likelihoods and answers, in its order.
Never: a prompt cut without a word: what does not fit the context is cut at its left, as the harness does
it, and counted. Text that spells a special token stays text; only a rendered dialog holds special ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from herd.evals.answer_cache import AnswerCache, continuation_key, score_key
from herd.evals.evaluated_model import Continuation, EvaluatedModel, ToContinue, ToScore
from herd.foundation import UserError, progress_bar
from herd.tokenizer import Tokenizer

DEFAULT_NEW_TOKENS = 256  # the harness's own


@dataclass(slots=True)
class Noticed:
    """What a reader of the scores should know."""

    n_cut_prompts: int = 0
    n_unfinished: int = 0  # answers that the budget ended


class HarnessModel(TemplateLM):  # type: ignore[misc]
    """For one task at a time: `cache` holds its answers, `seed` is that of sampled answers."""

    def __init__(self, model: EvaluatedModel, cache: AnswerCache, *, seed: int = 0) -> None:
        super().__init__()
        self.noticed = Noticed()
        self._model = model
        self._cache = cache
        self._seed = seed
        self._chats: dict[str, tuple[int, ...]] = {}  # rendered dialogs and their ids

    @property
    def eot_token_id(self) -> int:
        """Return the token that ends a text."""
        ends = [self._tokens.eos_id, *sorted(self._tokens.stop_ids), self._tokens.bos_id]
        return next((one for one in ends if one is not None), 0)

    @property
    def prefix_token_id(self) -> int:
        """Return the token before a text that has nothing before it."""
        bos_id = self._tokens.bos_id
        return self.eot_token_id if bos_id is None else bos_id

    @property
    def tokenizer_name(self) -> str:
        """Return what tells tokenizers apart."""
        return self._tokens.fingerprint

    @property
    def _tokens(self) -> Tokenizer:
        return self._model.tokenizer

    def chat_template(self, chat_template: bool | str = False) -> str:
        """Return the name that the harness writes down."""
        return "Herd's dialog format" if chat_template else ""

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Render a dialog up to where the model answers; text that it ends with is continued."""
        opening = [] if add_generation_prompt else chat_history[-1:]
        messages = chat_history[: len(chat_history) - len(opening)]
        ids = tuple(self._model.chat_ids(messages))
        rendered = self._tokens.decode(ids)
        self._chats[rendered] = ids
        return rendered + "".join(message["content"] for message in opening)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        """Return the ids of a text or of a rendered dialog and what follows it."""
        chat = self._chat_before(string)
        if chat is not None:
            rest = string[len(chat[0]) :]
            return [*chat[1], *self._tokens.encode(rest)] if rest else list(chat[1])
        bos = self._tokens.adds_bos if add_special_tokens is None else add_special_tokens
        return self._tokens.encode(string, bos=bos and self._tokens.bos_id is not None)

    def _chat_before(self, string: str) -> tuple[str, tuple[int, ...]] | None:
        """Return the longest rendered dialog that the text begins with, and its ids."""
        if string in self._chats:
            return string, self._chats[string]
        found = [pair for pair in self._chats.items() if string.startswith(pair[0])]
        return max(found, key=lambda pair: len(pair[0]), default=None)

    def _encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Cut as the harness does, but after a dialog at its last special token."""
        chat = self._chat_before(context)
        if chat is not None:
            return list(chat[1]), self._tokens.encode(context[len(chat[0]) :] + continuation)
        cut: tuple[list[int], list[int]] = super()._encode_pair(context, continuation)
        return cut

    def loglikelihood(
        self, requests: Sequence[Instance], disable_tqdm: bool = True
    ) -> list[tuple[float, bool]]:
        """Return (log-likelihood in nats, is greedy) of each continuation."""
        found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return found

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[Any, list[int], list[int]]],
        disable_tqdm: bool = True,
        **kwargs: Any,
    ) -> list[tuple[float, bool]]:
        asked = [self._fitted(context, after) for _, context, after in requests]
        scores = self._scores(asked, "scoring")
        return [(float(total), bool(is_greedy)) for total, is_greedy in scores]

    def loglikelihood_rolling(
        self, requests: Sequence[Instance], disable_tqdm: bool = True
    ) -> list[float]:
        """Return the log-likelihood of each whole text, every token with as much before it as fits."""
        asked, owner = [], []
        for i, request in enumerate(requests):
            windows = get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0], add_special_tokens=False),
                prefix_token=self.prefix_token_id,
                max_seq_len=self._model.max_context,
                context_len=1,
            )
            for window in windows:
                context, after = make_disjoint_window(window)
                asked.append(ToScore(tuple(context), tuple(after)))
                owner.append(i)
        totals = [0.0] * len(requests)
        for i, (total, _) in zip(owner, self._scores(asked, "reading"), strict=True):
            totals[i] += total
        return totals

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = True) -> list[str]:
        """Return the text that follows each context, up to a stop string or the budget."""
        asked = [self._to_continue(i, *request.args) for i, request in enumerate(requests)]
        return [samples[0]["text"] for samples in self.continue_all(asked)]

    def continue_all(self, asked: Sequence[ToContinue]) -> list[list[dict[str, Any]]]:
        """Return the samples of each prompt: text, tokens, why it ended. From the cache if there.

        Raises UserError for an answer that failed.
        """
        keys = [continuation_key(one) for one in asked]
        missing = self._missing(keys, _are_samples)
        with progress_bar("answering", len(keys), "prompts", done=len(keys) - len(missing)) as bar:
            for at, samples in self._model.continuations([asked[i] for i in missing]):
                self._cache.put(keys[missing[at]], [_kept(one) for one in samples])
                bar.advance(1)
        answers: list[list[dict[str, Any]]] = [self._cache.get(key) for key in keys]
        for samples_of_one in answers:
            for one in samples_of_one:
                self.noticed.n_unfinished += one["finish_reason"] == "length"
        return answers

    def _scores(self, asked: Sequence[ToScore], doing: str) -> list[tuple[float, bool]]:
        keys = [score_key(one) for one in asked]
        missing = self._missing(keys, _is_score)
        with progress_bar(doing, len(keys), "continuations", done=len(keys) - len(missing)) as bar:
            for at, score in self._model.scores([asked[i] for i in missing]):
                self._cache.put(keys[missing[at]], [sum(score.logprobs), score.is_greedy])
                bar.advance(1)
        return [self._cache.get(key) for key in keys]

    def _missing(self, keys: Sequence[str], is_answer: Callable[[object], bool]) -> list[int]:
        """Where the first of each unanswered question stands: the same is asked once.

        What a damaged cache holds in the place of an answer is none.
        """
        first: dict[str, int] = {}
        for i, key in enumerate(keys):
            if not is_answer(self._cache.get(key)):
                first.setdefault(key, i)
        return list(first.values())

    def _fitted(self, context: Sequence[int], after: Sequence[int]) -> ToScore:
        """As much of the context's end as fits before the continuation."""
        if not after:
            raise UserError("a continuation has no token of its own to score")
        most = self._model.max_context + 1
        if len(after) >= most:
            raise UserError(
                f"a continuation of {len(after):,} tokens does not fit the model's context of "
                f"{self._model.max_context:,}"
            )
        n_kept = most - len(after)
        self.noticed.n_cut_prompts += len(context) > n_kept
        return ToScore(tuple(context[-n_kept:]), tuple(after))

    def _to_continue(self, i: int, context: str, settings: Mapping[str, Any]) -> ToContinue:
        kwargs = normalize_gen_kwargs(dict(settings), DEFAULT_NEW_TOKENS)
        n_new = int(kwargs["max_gen_toks"])
        room = self._model.max_context - n_new
        if room < 1:
            raise UserError(
                f"the task asks for {n_new:,} new tokens, as many as the model's context of "
                f"{self._model.max_context:,} holds: nothing is left for the prompt"
            )
        ids = self.tok_encode(context) or [self.prefix_token_id]
        self.noticed.n_cut_prompts += len(ids) > room
        stops = [kwargs["until"]] if isinstance(kwargs["until"], str) else kwargs["until"]
        return ToContinue(
            prompt=tuple(ids[-room:]),
            max_new_tokens=n_new,
            stop=tuple(stop for stop in stops if stop),
            temperature=float(kwargs.get("temperature") or 0.0),
            top_p=float(kwargs.get("top_p") or 1.0),
            seed=self._seed + i,
            is_chat=self._chat_before(context) is not None,
        )


def _kept(one: Continuation) -> dict[str, Any]:
    if one.finish_reason == "error":
        raise UserError(f"an answer failed: {one.error}")
    return {"text": one.text, "n_tokens": one.n_tokens, "finish_reason": one.finish_reason}


def _is_score(answer: object) -> bool:
    match answer:
        case [int() | float(), bool()]:
            return True
    return False


def _are_samples(answer: object) -> bool:
    return isinstance(answer, list) and all(
        isinstance(one, dict) and isinstance(one.get("text"), str) and "finish_reason" in one
        for one in answer
    )
