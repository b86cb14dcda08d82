"""Answers of a model: each dialog once, kept as they come, what was cut counted."""

import pytest

from herd.evals.arena import answer_dialogs
from herd.evals.evaluated_model import Continuation
from herd.foundation import UserError

DIALOGS = [({"role": "user", "content": text},) for text in ("a", "bb", "ccc", "bb")]


class FakeModel:
    """Says how long the prompt is; `ends` maps a prompt's length to how its answer ends."""

    name = "fake"

    def __init__(self, ends=None) -> None:
        self.ends, self.asked = ends or {}, []

    def chat_ids(self, messages):
        return [0] * len(messages[-1]["content"])

    def continuations(self, asked):
        self.asked += asked
        for i in reversed(range(len(asked))):
            n = len(asked[i].prompt)
            reason = self.ends.get(n, "stop")
            if reason == "interrupt":
                raise KeyboardInterrupt
            yield (
                i,
                [Continuation(f"{n} {asked[i].seed}", 1, reason, "no room" * (reason == "error"))],
            )


def test_answers_come_in_the_order_of_the_dialogs_each_with_its_own_seed() -> None:
    model = FakeModel({3: "length"})
    answers, notes = answer_dialogs(model, DIALOGS, seed=10)
    assert answers == ["1 10", "2 11", "3 12", "2 13"]
    assert notes == ["1 answers ended by the budget of tokens"]
    assert all(one.is_chat and one.temperature == 0.6 for one in model.asked)


def test_an_interrupted_run_asks_only_for_what_is_missing(tmp_path) -> None:
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        answer_dialogs(FakeModel({1: "interrupt"}), DIALOGS, cache_path=path)
    model = FakeModel()
    answers, _ = answer_dialogs(model, DIALOGS, cache_path=path)
    assert len(model.asked) == 1 and answers == answer_dialogs(FakeModel(), DIALOGS)[0]


def test_greedy_answers_to_equal_prompts_are_the_same() -> None:
    answers, _ = answer_dialogs(FakeModel(), DIALOGS, temperature=0.0)
    assert answers[1] == answers[3]


def test_a_dialog_that_cannot_be_answered_is_a_mistake_in_one_line() -> None:
    with pytest.raises(UserError, match="fake cannot answer a prompt: no room"):
        answer_dialogs(FakeModel({2: "error"}), DIALOGS)
