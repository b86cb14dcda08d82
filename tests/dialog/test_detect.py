"""The format follows the model's own template; a native one only where both agree."""

import pytest

from herd.dialog import (
    ChatMLFormat,
    Llama2Format,
    Llama3Format,
    TemplateFormat,
    detect_format,
    format_named,
)
from herd.foundation import UserError
from herd.tokenizer import Tokenizer, train_bpe

LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
LLAMA2 = (
    "{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}"
    "{% set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
    "{% else %}{% set rest = messages %}{% set system = '' %}{% endif %}{% for m in rest %}"
    "{% set content = (system if loop.first else '') + m.content %}{% if m.role == 'user' %}"
    "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ASSUMED = "{% if messages[0].role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
DATED = LLAMA3.replace("{{ bos_token }}", "{{ bos_token }}Today: {{ strftime_now('%d %b %Y') }}\n")


def with_template(tokenizer: Tokenizer, template: str) -> Tokenizer:
    tokenizer.chat_template = template
    return tokenizer


@pytest.fixture
def llama3_like() -> Tokenizer:
    return train_bpe(["some text"], vocab_size=520)


@pytest.fixture
def chatml_like() -> Tokenizer:
    return train_bpe(["some text"], vocab_size=270, special_tokens=("<|im_start|>", "<|im_end|>"))


def test_special_tokens_decide_where_there_is_no_template(
    llama3_like: Tokenizer, chatml_like: Tokenizer, llama2_tokenizer: Tokenizer
) -> None:
    assert detect_format(llama3_like) == Llama3Format()
    assert detect_format(chatml_like) == ChatMLFormat()
    assert detect_format(llama2_tokenizer) == Llama2Format()


def test_known_templates_are_recognised(llama3_like: Tokenizer, chatml_like: Tokenizer) -> None:
    assert detect_format(with_template(llama3_like, LLAMA3)) == Llama3Format()
    assert detect_format(with_template(chatml_like, CHATML)) == ChatMLFormat()


def test_the_llama2_template_is_recognised() -> None:
    tokenizer = train_bpe(["some text"], vocab_size=270, special_tokens=("<s>", "</s>"))
    assert detect_format(with_template(tokenizer, LLAMA2)) == Llama2Format()


def test_a_default_system_message_is_read_off_the_template(chatml_like: Tokenizer) -> None:
    found = detect_format(with_template(chatml_like, ASSUMED + CHATML))
    assert found == ChatMLFormat(default_system="Be kind.")


@pytest.mark.parametrize("template", [DATED, LLAMA3.replace(" | trim", "")])
def test_a_template_that_differs_from_the_native_format_is_used_itself(
    template: str, llama3_like: Tokenizer
) -> None:
    found = detect_format(with_template(llama3_like, template))
    assert isinstance(found, TemplateFormat)
    assert found.source == template


def test_a_tokenizer_without_either_is_refused() -> None:
    bare = train_bpe(["some text"], vocab_size=260, special_tokens=("<|endoftext|>",))
    with pytest.raises(UserError, match="neither a chat template nor"):
        detect_format(bare)


def test_formats_are_found_by_name() -> None:
    assert format_named("llama2") == Llama2Format()
    with pytest.raises(UserError, match="use one of llama3, llama2, chatml"):
        format_named("alpaca")
