"""Dialogs are checked before anything is rendered."""

import pytest

from herd.dialog import Message, as_dialog
from herd.foundation import UserError

USER, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
SYSTEM, TOOL = {"role": "system", "content": "Be brief"}, {"role": "tool", "content": "42"}


def test_mappings_and_messages_make_the_same_dialog() -> None:
    assert as_dialog([USER, ANSWER]) == as_dialog([Message("user", "Hi"), Message(**ANSWER)])


def test_a_message_reads_like_a_dictionary() -> None:
    message = Message("user", "Hi")
    assert (message["role"], message["content"], message.to_dict()) == ("user", "Hi", USER)
    with pytest.raises(KeyError):
        message["name"]


def test_ipython_is_another_name_of_tool() -> None:
    assert Message("ipython", "42") == Message("tool", "42")


@pytest.mark.parametrize(
    "messages",
    [[USER], [SYSTEM, USER], [USER, ANSWER], [USER, ANSWER, TOOL, TOOL, ANSWER, USER]],
)
def test_well_ordered_dialogs_pass(messages: list[dict]) -> None:
    assert [message.to_dict() for message in as_dialog(messages)] == messages


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "at least one"),
        ([ANSWER], "message 0: role 'assistant' cannot stand at the start"),
        ([TOOL], "message 0"),
        ([USER, USER], "message 1: role 'user' cannot stand after 'user'"),
        ([USER, SYSTEM], "message 1: role 'system'"),
        ([SYSTEM, SYSTEM, USER], "message 1"),
        ([SYSTEM, ANSWER], "message 1"),
        ([USER, TOOL], "message 1"),
        ([USER, ANSWER, ANSWER], "message 2"),
        ([{"role": "wizard", "content": ""}], "'wizard' is unknown"),
        ([{"role": ["user"], "content": ""}], "is unknown"),
        ([{"role": "user", "content": None}], "must be text, not NoneType"),
        ([{"role": "user"}], "message 0 must have exactly role and content"),
        ([{"role": "user", "content": "", "name": "x"}], "content, name, role"),
        (["Hi"], "message 0 is a str"),
        ("Hi", "wrap the message in a list"),
        (USER, "wrap the message in a list"),
    ],
)
def test_malformed_dialogs_are_refused_with_one_line(messages: object, words: str) -> None:
    with pytest.raises(UserError, match=".") as caught:
        as_dialog(messages)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
