"""A judge over HTTP: retried while busy, refused in one line, and its key shown nowhere."""

import pytest

from herd.evals.arena import JudgeRefusalError, JudgeServer, judge_duels, read_key
from herd.evals.arena.judge_server import MAX_ATTEMPTS, completions_url
from herd.foundation import UserError

ASK = [{"role": "user", "content": "?"}]
KEY = "sk-very-secret"


def completion(text):
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def test_the_model_is_asked_as_the_interface_says(server) -> None:
    server.says(lambda question: f"asked {question} RATING: 1")
    judge = JudgeServer(server.url + "/v1", "some-model", key=KEY, max_tokens=9)
    assert judge.verdict(ASK) == "asked ? RATING: 1"
    (asked,) = server.asked
    assert asked == {
        "path": "/v1/chat/completions",
        "model": "some-model",
        "messages": ASK,
        "temperature": 0,
        "max_tokens": 9,
    }
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent_not_even_one_of_a_netrc(server, tmp_path, monkeypatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.says(lambda _: "x")
    JudgeServer(server.url, "m").verdict(ASK)
    assert "Authorization" not in server.headers[0]


def test_a_busy_server_is_asked_again_as_late_as_it_wishes(server) -> None:
    waits = []
    replies = [(429, {}, {"Retry-After": "7"}), (503, {}, {}), (500, {}, {"Retry-After": "9999"})]

    def answer(body, number):
        return replies[number - 1] if number <= 3 else (200, completion("RATING: 3"), {})

    server.answer = answer
    assert JudgeServer(server.url, "m", sleep=waits.append).verdict(ASK) == "RATING: 3"
    assert waits == [7, 2, 60]


def test_a_server_that_stays_busy_is_given_up_and_what_came_is_kept(
    server, duels, tmp_path
) -> None:
    def answer(body, number):
        return (200, completion("RATING: 3"), {}) if number <= 3 else (429, {}, {})

    server.answer = answer
    judge = JudgeServer(server.url, "m", sleep=lambda _: None)
    with pytest.raises(UserError, match="answered 429, 6 times in a row; what has come is kept"):
        judge_duels(duels, judge, "m", tmp_path / "v.jsonl")
    assert len(server.asked) == 3 + MAX_ATTEMPTS
    assert len((tmp_path / "v.jsonl").read_text().splitlines()) == 3


def test_a_server_that_hangs_is_left_after_the_timeout_and_tried_again(server) -> None:
    def answer(body, number):
        if number < 3:
            server.released.wait(5)
        return 200, completion("RATING: 3"), {}

    server.answer = answer
    judge = JudgeServer(server.url, "m", timeout_s=0.2, sleep=lambda _: None)
    assert judge.verdict(ASK) == "RATING: 3" and len(server.asked) == 3
    server.answer = lambda body, number: (server.released.wait(5) and 200, completion(""), {})
    with pytest.raises(UserError, match="did not answer within 0.2 s, 6 times in a row"):
        judge.verdict(ASK)


def test_a_server_that_is_not_there_is_said_at_once(server) -> None:
    judge = JudgeServer("http://127.0.0.1:9", "m", sleep=lambda _: pytest.fail("waits"))
    with pytest.raises(UserError, match="--judge 127.0.0.1:9 cannot be reached"):
        judge.verdict(ASK)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, JudgeRefusalError, "answered 400: .*the reason"),
        (413, JudgeRefusalError, "answered 413"),
        (401, UserError, "--judge-key-file"),
        (404, UserError, "correct --judge"),
        (308, UserError, "answered 308"),
    ],
)
def test_refusals_are_told_apart_and_never_show_the_key(server, status, kind, words) -> None:
    said = {"error": f"the reason, your key {KEY}\x1b[31m"}
    server.answer = lambda body, number: (status, said, {"Location": "http://elsewhere.invalid/"})
    with pytest.raises(kind, match=words) as caught:
        JudgeServer(server.url, "m", key=KEY).verdict(ASK)
    assert type(caught.value) is kind and KEY not in str(caught.value)
    assert len(server.asked) == 1 and "\x1b" not in str(caught.value)


@pytest.mark.parametrize("said", [b"<html>", b"[]", {"choices": []}, {"choices": [{"text": "x"}]}])
def test_what_is_no_chat_completion_is_refused(server, said) -> None:
    server.answer = lambda body, number: (200, said, {})
    with pytest.raises(UserError, match="with no chat completion"):
        JudgeServer(server.url, "m").verdict(ASK)


def test_an_answer_without_text_is_empty_and_a_key_in_it_is_hidden(server) -> None:
    server.answer = lambda body, number: (200, completion(None), {})
    assert JudgeServer(server.url, "m").verdict(ASK) == ""
    server.says(lambda _: f"your key is {KEY}")
    assert JudgeServer(server.url, "m", key=KEY).verdict(ASK) == "your key is [key]"


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("http://h/", "http://h/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h/api/v3", "https://h/api/v3/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
    ],
)
def test_an_address_is_completed(url: str, full: str) -> None:
    assert completions_url(url) == full


@pytest.mark.parametrize("url", ["h:1", "ftp://h", "http://", "file:///etc", "http://h:x", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="no URL of a server"):
        completions_url(url)


def test_a_key_is_one_line_of_plain_characters_and_is_never_shown(tmp_path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    assert read_key(path) == KEY
    for content in ("", f"{KEY}\nmore", f"{KEY} x", f"{KEY}é"):
        path.write_text(content)
        with pytest.raises(UserError, match="holds no API key") as caught:
            read_key(path)
        assert KEY not in str(caught.value)
    with pytest.raises(UserError, match="cannot be read"):
        read_key(tmp_path / "none")


def test_a_server_that_trickles_headers_without_end_is_left(server) -> None:
    def answer(body, number):
        if number == 1:
            return 200, completion(""), {"trickle": "yes"}
        return 200, completion("RATING: 3"), {}

    server.answer = answer
    judge = JudgeServer(server.url, "m", timeout_s=0.4, sleep=lambda _: None)
    assert judge.verdict(ASK) == "RATING: 3" and len(server.asked) == 2


@pytest.mark.parametrize("asked", ["²", "-1", "soon"])
def test_a_wish_that_is_no_number_is_passed_over(server, asked: str) -> None:
    server.answer = lambda body, number: (
        (429, {}, {"Retry-After": asked}) if number == 1 else (200, completion("RATING: 3"), {})
    )
    waits: list[float] = []
    assert JudgeServer(server.url, "m", sleep=waits.append).verdict(ASK) == "RATING: 3"
    assert waits == [1]
