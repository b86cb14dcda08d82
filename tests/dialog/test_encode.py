"""Ids equal those of the reference templates; masks cover the answers; nothing can be injected."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from herd.dialog import (
    ChatMLFormat,
    DialogFormat,
    Llama2Format,
    Llama3Format,
    TemplateFormat,
    encode_dialog,
    encode_prompt,
    end_ids,
)
from herd.foundation import UserError
from herd.tokenizer import Tokenizer

# The templates as the hubs hold them.
LLAMA3_TEMPLATE = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
SMOLLM2_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
SMOLLM2_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\n" + SMOLLM2_SYSTEM + "<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA2_TAGS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")
EVERY_FORMAT = pytest.mark.parametrize(
    "case", ["llama3", "llama2", "chatml", "template"], indirect=True
)
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CONVERSATION = [
    {"role": "system", "content": " Be brief. "},
    {"role": "user", "content": "What is the capital of France?\n"},
    {"role": "assistant", "content": "Paris."},
    {"role": "user", "content": "And of Spain?"},
]


def build(system: str | None, pairs: list[tuple[str, str]], question: str) -> list[dict[str, str]]:
    messages = [] if system is None else [{"role": "system", "content": system}]
    for user, answer in pairs:
        messages.append({"role": "user", "content": user})
        messages.append({"role": "assistant", "content": answer})
    return [*messages, {"role": "user", "content": question}]


def dialogs(content: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, str]]]:
    """Well-formed dialogs that end with a user's message."""
    pairs = st.lists(st.tuples(content, content), max_size=3)
    return st.builds(build, st.none() | content, pairs, content)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=24)
HOSTILE = st.lists(
    st.sampled_from(
        ["<|im_end|>", "<|im_start|>", "<|eot_id|>", "<|start_header_id|>", "</s>", "<s>", "<|"]
        + ["assistant", "\n", " ", "im_end|>", "<<|im_end|>|im_end|>", "x", "\U000f0000"]
    ),
    max_size=6,
).map("".join)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> tuple[DialogFormat, Tokenizer]:
    names = {"llama3": "llama3", "llama2": "llama2", "chatml": "chatml", "template": "chatml"}
    tokenizer = request.getfixturevalue(f"{names[request.param]}_tokenizer")
    formats: dict[str, DialogFormat] = {
        "llama3": Llama3Format(),
        "llama2": Llama2Format(),
        "chatml": ChatMLFormat(default_system=SMOLLM2_SYSTEM),
        "template": TemplateFormat(
            source=SMOLLM2_TEMPLATE, special_tokens=frozenset(tokenizer.special_tokens)
        ),
    }
    return formats[request.param], tokenizer


def reference(tokenizer: Tokenizer, template: str, directory: Path) -> Any:
    """The tokenizer as transformers opens it, with its template."""
    from transformers import AutoTokenizer

    tokenizer.save(directory)
    opened = AutoTokenizer.from_pretrained(directory)
    opened.chat_template = template
    return opened


def reference_ids(opened: Any, messages: list[dict[str, str]], *, prompt: bool) -> list[int]:
    return opened.apply_chat_template(
        messages, tokenize=True, add_generation_prompt=prompt, return_dict=True
    )["input_ids"]


@pytest.fixture(scope="session")
def llama3_reference(llama3_tokenizer: Tokenizer, tmp_path_factory: Any) -> Any:
    return reference(llama3_tokenizer, LLAMA3_TEMPLATE, tmp_path_factory.mktemp("llama3"))


@pytest.fixture(scope="session")
def chatml_reference(chatml_tokenizer: Tokenizer, tmp_path_factory: Any) -> Any:
    return reference(chatml_tokenizer, SMOLLM2_TEMPLATE, tmp_path_factory.mktemp("chatml"))


@QUICK
@given(messages=dialogs(TEXT))
def test_llama3_ids_equal_those_of_transformers(
    messages: list[dict[str, str]], llama3_tokenizer: Tokenizer, llama3_reference: Any
) -> None:
    # Python's strip and jinja's trim are one; both leave some invisible characters in place.
    ids = encode_prompt(messages, llama3_tokenizer, Llama3Format())
    assert ids == reference_ids(llama3_reference, messages, prompt=True)
    ids, _ = encode_dialog(messages, llama3_tokenizer, Llama3Format())
    assert ids == reference_ids(llama3_reference, messages, prompt=False)


@QUICK
@given(messages=dialogs(TEXT))
def test_chatml_ids_equal_those_of_transformers_with_the_models_default_system(
    messages: list[dict[str, str]], chatml_tokenizer: Tokenizer, chatml_reference: Any
) -> None:
    # An answer that opens with white space is cut from its header, see test_piece.
    assume(not any(m["role"] == "assistant" and m["content"][:1].isspace() for m in messages))
    chat_format = ChatMLFormat(default_system=SMOLLM2_SYSTEM)
    ids = encode_prompt(messages, chatml_tokenizer, chat_format)
    assert ids == reference_ids(chatml_reference, messages, prompt=True)


@QUICK
@given(messages=dialogs(TEXT))
def test_llama2_ids_equal_those_of_metas_reference(
    messages: list[dict[str, str]], llama2_tokenizer: Tokenizer
) -> None:
    assume(not any(tag in m["content"] for m in messages for tag in LLAMA2_TAGS))
    assert encode_prompt(messages, llama2_tokenizer, Llama2Format()) == meta_llama2_ids(
        messages, llama2_tokenizer
    )


def meta_llama2_ids(messages: list[dict[str, str]], tokenizer: Tokenizer) -> list[int]:
    """`chat_completion` of Meta's llama repository, by its published rule."""
    if messages[0]["role"] == "system":
        folded = f"<<SYS>>\n{messages[0]['content']}\n<</SYS>>\n\n{messages[1]['content']}"
        messages = [{"role": "user", "content": folded}, *messages[2:]]
    ids: list[int] = []
    for user, answer in zip(messages[::2], messages[1::2], strict=False):
        text = f"[INST] {user['content'].strip()} [/INST] {answer['content'].strip()} "
        ids += tokenizer.encode(text, bos=True, eos=True)
    return ids + tokenizer.encode(f"[INST] {messages[-1]['content'].strip()} [/INST]", bos=True)


@EVERY_FORMAT
@QUICK
@given(messages=dialogs(TEXT | HOSTILE), answer=TEXT | HOSTILE)
def test_an_answer_is_trained_after_the_very_ids_that_prompt_for_it(
    messages: list[dict[str, str]], answer: str, case: tuple[DialogFormat, Tokenizer]
) -> None:
    chat_format, tokenizer = case
    assume(not any(tag in m["content"] for m in messages for tag in LLAMA2_TAGS))
    prompt = encode_prompt(messages, tokenizer, chat_format)
    whole = [*messages, {"role": "assistant", "content": answer}]
    ids, mask = encode_dialog(whole, tokenizer, chat_format)
    assert ids[: len(prompt)] == prompt
    assert len(ids) == len(mask)
    n_trained = sum(mask[len(prompt) :])
    assert mask[len(prompt) :] == [True] * n_trained + [False] * (
        len(ids) - len(prompt) - n_trained
    )
    assert ids[len(prompt) + n_trained - 1] in end_ids(tokenizer, chat_format)


@EVERY_FORMAT
def test_the_mask_covers_the_answers_and_their_ends_and_nothing_else(
    case: tuple[DialogFormat, Tokenizer],
) -> None:
    chat_format, tokenizer = case
    ids, mask = encode_dialog(CONVERSATION, tokenizer, chat_format)
    trained = [token_id for token_id, counts in zip(ids, mask, strict=True) if counts]
    assert trained[-1] in end_ids(tokenizer, chat_format)
    assert tokenizer.decode(trained[:-1]).strip() == "Paris."


@EVERY_FORMAT
@QUICK
@given(messages=dialogs(HOSTILE), harmless=st.just("x"))
def test_no_content_can_inject_a_special_token(
    messages: list[dict[str, str]], harmless: str, case: tuple[DialogFormat, Tokenizer]
) -> None:
    chat_format, tokenizer = case
    ids = encode_prompt(messages, tokenizer, chat_format)
    tame = [{"role": m["role"], "content": harmless} for m in messages]
    expected = encode_prompt(tame, tokenizer, chat_format)
    assert specials(ids, tokenizer) == specials(expected, tokenizer)


@EVERY_FORMAT
@QUICK
@given(messages=dialogs(HOSTILE))
def test_content_comes_back_out_of_the_ids(
    messages: list[dict[str, str]], case: tuple[DialogFormat, Tokenizer]
) -> None:
    chat_format, tokenizer = case
    text = tokenizer.decode(encode_prompt(messages, tokenizer, chat_format))
    for message in messages:
        assert message["content"].strip() in text


def specials(ids: list[int], tokenizer: Tokenizer) -> list[int]:
    special = set(tokenizer.special_tokens.values())
    return [token_id for token_id in ids if token_id in special]


@pytest.mark.parametrize("tag", LLAMA2_TAGS)
@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_llama2_refuses_its_tags_in_any_message(
    tag: str, role: str, llama2_tokenizer: Tokenizer
) -> None:
    messages = [dict(m) for m in CONVERSATION]
    next(m for m in messages if m["role"] == role)["content"] = f"so {tag} there"
    with pytest.raises(UserError, match="refuses content"):
        encode_prompt(messages, llama2_tokenizer, Llama2Format())


def test_llama2_refuses_tools_and_a_lone_system_message(llama2_tokenizer: Tokenizer) -> None:
    tool = [*CONVERSATION[:3], {"role": "tool", "content": "42"}]
    with pytest.raises(UserError, match="no tool messages"):
        encode_prompt(tool, llama2_tokenizer, Llama2Format())
    with pytest.raises(UserError, match="folds the system message"):
        encode_dialog(CONVERSATION[:1], llama2_tokenizer, Llama2Format())


def test_llama3_writes_tool_messages_as_ipython(llama3_tokenizer: Tokenizer) -> None:
    messages = [*CONVERSATION[:3], {"role": "tool", "content": "42"}]
    ids = encode_prompt(messages, llama3_tokenizer, Llama3Format())
    assert llama3_tokenizer.decode(ids).endswith(
        "<|start_header_id|>ipython<|end_header_id|>\n\n42<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_a_prompt_must_leave_something_to_answer(chatml_tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="must end with a user"):
        encode_prompt(CONVERSATION[:3], chatml_tokenizer)
    with pytest.raises(UserError, match="must end with a user"):
        encode_prompt(CONVERSATION[:1], chatml_tokenizer)


def test_a_format_whose_tokens_are_missing_says_which(chatml_tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="begin_of_text"):
        encode_prompt(CONVERSATION, chatml_tokenizer, Llama3Format())
