"""The front door: names and text in, text and logits out."""

from pathlib import Path

import pytest
import torch

import herd
from herd.dialog import ChatMLFormat, Message, encode_prompt
from herd.foundation import UserError
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


def test_streams_join_to_the_whole(lm: LanguageModel) -> None:
    assert "".join(lm.stream("one", seed=2)) == lm.generate("one", seed=2)
    assert Message("assistant", "".join(lm.chat_stream(CAPITAL[:1], seed=2, max_new_tokens=9))) == (
        lm.chat(CAPITAL, seed=2, max_new_tokens=9)
    )


def test_an_empty_prompt_begins_a_document(lm: LanguageModel) -> None:
    assert lm.stream("", max_new_tokens=1).n_prompt_tokens == 1


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
