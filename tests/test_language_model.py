"""The front door: names and text in, text and logits out."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import herd
from herd.dialog import ChatMLFormat, Message, encode_prompt
from herd.foundation import UserError, detect_hardware
from herd.inference import Constraint
from herd.language_model import LanguageModel
from herd.model import ModelConfig, Transformer, init_weights, save_hf
from herd.model.hub import packaged_path
from herd.tokenizer import train_bpe

SPECIAL = ("<|im_start|>", "<|im_end|>")
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]


def tiny(vocab_size: int = 270) -> Transformer:
    model = Transformer(
        ModelConfig(
            vocab_size=vocab_size, dim=16, n_layers=2, n_heads=2, n_kv_heads=1, ffn_dim=16,
            max_context=64,
        )
    )  # fmt: skip
    init_weights(model, seed=1)
    return model


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    tokenizer = train_bpe(["one two three"], vocab_size=262, special_tokens=SPECIAL)
    return LanguageModel(tiny(), tokenizer, chat_format="chatml")


@pytest.fixture(scope="module")
def smol() -> LanguageModel:
    if not packaged_path("smollm2-135m").is_file():
        pytest.skip("needs `herd pull smollm2-135m`")
    return herd.load("smollm2-135m", dtype=torch.float32, device="cpu")


def test_logits_are_float32_and_one_row_a_token(lm: LanguageModel) -> None:
    logits = lm.logits([1, 2, 3])
    assert (logits.shape, logits.dtype) == ((3, 270), torch.float32)
    torch.testing.assert_close(logits, lm.model(torch.tensor([[1, 2, 3]]))[0])


def test_each_prompt_of_a_list_gives_what_it_gives_alone(lm: LanguageModel) -> None:
    texts = lm.generate(["one", "two", "one"], seed=5, max_new_tokens=12)
    alone = [lm.generate(p, seed=5 + i, max_new_tokens=12) for i, p in enumerate(("one", "two"))]
    assert texts[:2] == alone
    assert texts[2] != texts[0]


def test_scores_are_the_models_own_log_probabilities(lm: LanguageModel) -> None:
    scores = lm.score(["one", "one", ""], [" two three", " three", "one"])
    for prompt, continuation, score in zip(
        ["one", "one", ""], [" two three", " three", "one"], scores, strict=True
    ):
        ids = lm.tokenizer.encode(prompt + continuation)
        if not prompt:  # what begins a document follows the end of another
            ids = [lm.tokenizer.eos_id, *ids]
        n_scored = len(score.logprobs)
        logprobs = lm.logits(ids)[:-1, : lm.tokenizer.vocab_size].log_softmax(-1)
        expected = logprobs[-n_scored:].gather(1, torch.tensor(ids[-n_scored:])[:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(score.logprobs), expected, atol=1e-4, rtol=0)


def test_a_continuation_without_a_token_is_refused(lm: LanguageModel) -> None:
    with pytest.raises(UserError, match="no token of its own"):
        lm.score(["one"], [""])
    with pytest.raises(UserError, match="2 prompts but 1 continuations"):
        lm.score(["one", "two"], ["three"])


def test_an_answer_has_the_form_that_was_asked_for(lm: LanguageModel) -> None:
    pattern = "(yes|no), [0-9]{3}"
    texts = lm.generate(
        ["one", "two"], seed=0, temperature=1.0, constraint=Constraint.regex(pattern)
    )
    assert all(re.fullmatch(pattern, text) for text in texts)


def test_a_constraint_is_refused_before_any_work(lm: LanguageModel) -> None:
    with pytest.raises(UserError, match="minimum 5 and maximum 3"):
        Constraint.json_schema({"type": "integer", "minimum": 5, "maximum": 3})


def test_weights_that_change_between_two_answers_are_the_ones_that_answer() -> None:
    tokenizer = train_bpe(["one two three"], vocab_size=262, special_tokens=SPECIAL)
    changing = LanguageModel(tiny(), tokenizer)
    settings = {"temperature": 0.0, "max_new_tokens": 8}
    before = changing.generate("one", **settings)
    other = tiny()
    init_weights(other, seed=2)
    with torch.no_grad():
        for mine, theirs in zip(changing.model.parameters(), other.parameters(), strict=True):
            mine.copy_(theirs)
    after = changing.generate("one", **settings)
    assert after == LanguageModel(other, tokenizer).generate("one", **settings) != before


def test_guessing_ahead_changes_no_answer(lm: LanguageModel, tmp_path: Path) -> None:
    save_hf(lm.model, tmp_path / "m", tokenizer=lm.tokenizer)
    plain, lookup, draft = (
        herd.load(tmp_path / "m", draft=draft) for draft in (None, "lookup", tmp_path / "m")
    )
    texts = {
        one.generate("one two one two", seed=4, max_new_tokens=30) for one in (plain, lookup, draft)
    }
    assert len(texts) == 1
    assert draft.engine.counters.n_accepted_tokens > 0


def test_a_model_larger_than_the_memory_is_refused_before_it_is_read(
    lm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_hf(lm.model, tmp_path / "m", tokenizer=lm.tokenizer)
    small = dataclasses.replace(detect_hardware(), memory_bytes=10_000)
    monkeypatch.setattr("herd.language_model.detect_hardware", lambda: small)
    with pytest.raises(UserError, match="parameters, .* but this machine has"):
        herd.load(tmp_path / "m", device="cpu")


def test_streams_join_to_the_whole(lm: LanguageModel) -> None:
    assert "".join(lm.stream("one", seed=2)) == lm.generate("one", seed=2)
    assert Message("assistant", "".join(lm.chat_stream(CAPITAL[:1], seed=2, max_new_tokens=9))) == (
        lm.chat(CAPITAL, seed=2, max_new_tokens=9)
    )


def test_an_empty_prompt_begins_a_document(lm: LanguageModel) -> None:
    assert lm.stream("", max_new_tokens=1).n_prompt_tokens == 1


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda lm: lm.generate(None), "prompt is None"),
        (lambda lm: lm.generate(["one", 2]), "prompt holds 2"),
        (lambda lm: lm.score("one", ["two"]), "prompts is 'one'"),
        (lambda lm: lm.score(["one"], [None]), "continuations holds None"),
        (lambda lm: lm.chat(None), "a dialog is a list"),
        (lambda lm: lm.logits("one"), "encode a text with"),
        (lambda lm: lm.logits([1.5]), "encode a text with"),
        (lambda lm: herd.load("m", device="cpux"), "no device 'cpux'"),
        (lambda lm: herd.load("m", dtype="float32"), "dtype is 'float32'"),
        (lambda lm: herd.load("m", dtype=torch.int8), "dtype is torch.int8"),
        (lambda lm: herd.load("m", device="meta"), "no meta device"),
        (lambda lm: herd.load("m", engine="fast"), "engine is 'fast'"),
        (lambda lm: herd.load("m", draft=5), "draft is 5"),
        (lambda lm: herd.load(None), "target is None"),
    ],
)
def test_a_value_of_a_wrong_type_is_one_line(
    ask: Callable[[LanguageModel], object], words: str, lm: LanguageModel
) -> None:
    with pytest.raises(UserError, match=words):
        ask(lm)


@pytest.mark.parametrize("ids", [[], [270], [-1], [0] * 65])
def test_logits_of_ids_that_cannot_be_are_refused(ids: list[int], lm: LanguageModel) -> None:
    with pytest.raises(UserError):
        lm.logits(ids)


def test_a_tokenizer_too_large_for_the_model_is_refused(tmp_path: Path) -> None:
    large = train_bpe(["one two three"], vocab_size=262, special_tokens=SPECIAL)
    save_hf(tiny(256), tmp_path / "m")
    large.save(tmp_path / "m")
    with pytest.raises(UserError, match="embeds only 256"):
        herd.load(tmp_path / "m")


def test_smollm2_answers_in_its_own_format(smol: LanguageModel) -> None:
    assert isinstance(smol.chat_format, ChatMLFormat)
    assert smol.chat(CAPITAL, temperature=0.0).content == "The capital of France is Paris."


def test_smollm2_prompts_equal_those_of_transformers(smol: LanguageModel, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    smol.tokenizer.save(tmp_path)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    talk = [*CAPITAL, {"role": "assistant", "content": "Paris."}, *CAPITAL]
    for messages in (CAPITAL, talk, [{"role": "system", "content": "Be brief."}, *talk]):
        expected = opened.apply_chat_template(
            messages,
            chat_template=smol.tokenizer.chat_template,
            add_generation_prompt=True,
            return_dict=True,
        )["input_ids"]
        assert encode_prompt(messages, smol.tokenizer) == expected


def test_smollm2_generates_through_the_cache_what_full_forwards_give(smol: LanguageModel) -> None:
    ids = smol.tokenizer.encode("The capital of France is")
    for _ in range(8):
        ids.append(int(smol.logits(ids)[-1].argmax()))
    whole = smol.tokenizer.decode(ids)
    continued = smol.generate("The capital of France is", temperature=0.0, max_new_tokens=8)
    assert whole == "The capital of France is" + continued
