"""`herd eval arena`: two files of answers or two models, rated at a terminal, on a page, by a judge."""

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from herd.cli.eval_arena import arena
from herd.foundation import UserError

Call = Callable[..., None]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the command on two files of answers, in a directory of its own."""
    for name, sign in (("good", "+"), ("bad", "-")):
        rows = [{"id": i, "prompt": f"say {i}", "answer": f"{sign}{i}"} for i in range(6)]
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    monkeypatch.chdir(tmp_path)
    app = typer.Typer(add_completion=False)
    app.command()(arena)
    command = typer.main.get_command(app)

    def call(*options: str, sides: tuple[str, str] = ("good.jsonl", "bad.jsonl")) -> None:
        command.main(args=[*sides, "--out", "out", *options], standalone_mode=False)

    return call


@pytest.fixture
def judge_url() -> Iterator[str]:
    """A server whose judge likes a plus."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            likes_left = re.search(r"BEGIN LEFT ANSWER \w+\]\n\+", body["messages"][1]["content"])
            text = f"Because.\nRATING: {2 if likes_left else 6}"
            content = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def at_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr", Terminal())


def test_without_a_terminal_the_other_ways_are_named(call: Call) -> None:
    with pytest.raises(UserError, match="--page .* or --judge"):
        call()
    assert not Path("out").exists()


def test_a_page_is_written_and_its_ratings_come_back(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("--page")
    assert "out/rate.html" in capsys.readouterr().out
    stored = json.loads(Path("out/duels.json").read_text())
    rows = [{"item": one["id"], "rating": 7 if one["left"] else 1} for one in stored["duels"]]
    saved = {"format": "herd-arena-ratings", "page": stored["page"], "rater": "", "ratings": rows}
    Path("ratings.json").write_text(json.dumps(saved))
    call("--import-ratings", "ratings.json", "--rater", "ann", "--json")
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["people"]["raters"] == {"ann": 6} and "6 new" in err
    assert [one["wins"] for one in report["people"]["models"]] == [6, 0]
    assert report["models"] == ["good", "bad"] and Path("out/report.html").exists()


def test_a_terminal_session_goes_on_where_it_was_and_ends_with_the_report(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_terminal(monkeypatch, "1\n2\nq\n")
    call()
    assert capsys.readouterr().out == ""  # nothing un-blinded before the end
    at_terminal(monkeypatch, "3\n4\n5\n6\n\n")
    call()
    out = capsys.readouterr().out
    assert "6 of 6 prompts rated by people" in out and "good" in out


def test_a_judge_rates_and_is_not_asked_twice(
    call: Call, judge_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call("--judge", judge_url, "--judge-model", "m", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["judges"][0]["models"][0]["wins"] == 6
    assert report["judges"][0]["position"]["consistency"] == 1
    call("--judge", "http://127.0.0.1:9", "--judge-model", "m", "--json")
    assert json.loads(capsys.readouterr().out) == report


def test_two_models_answer_the_prompts(
    call: Call, babbler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("p.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two"}\n')
    options = ("--prompts", "p.jsonl", "--max-new-tokens", "4", "--report")
    sides = (str(babbler), "good.jsonl")
    with pytest.raises(UserError, match="no id is common|is another"):
        call(*options, sides=sides)
    twin = str(babbler) + "/"  # the same model under another name
    call(*options, "--temperature", "0", sides=(str(babbler), twin))
    stored = json.loads(Path("out/duels.json").read_text())
    assert len(stored["duels"]) == 2
    assert all(first == second for first, second in (one["answers"] for one in stored["duels"]))
    assert "0 of 2 prompts rated by people" in capsys.readouterr().out


def test_a_base_model_is_refused_in_one_line(call: Call, base_model: Path) -> None:
    Path("p.jsonl").write_text('{"prompt": "one"}\n')
    with pytest.raises(UserError, match="looks like a base model"):
        call("--prompts", "p.jsonl", "--page", sides=(str(base_model), "x"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--page", "--report"), "choose one of"),
        (("--judge", "http://h"), "go together"),
        (("--judge-model", "m", "--page"), "go together"),
        (("--judge", "h", "--judge-model", "m"), "no URL"),
        (("--judge", "http://h", "--judge-model", "m", "--judge-timeout", "0"), "more than 0"),
        (
            ("--judge", "http://h", "--judge-model", "m", "--judge-key-file", "none"),
            "cannot be read",
        ),
        (("--judge", "http://127.0.0.1:9", "--judge-model", "m"), "cannot be reached"),
        (("--import-ratings", "none.json"), "cannot read none.json"),
        (("--page", "--rater", " "), "--rater"),
        (("--page", "--prompts", "none.jsonl"), "cannot read none.jsonl"),
        (("--page", "--limit", "0"), "--limit is 0"),
    ],
)
def test_mistakes_are_one_line(call: Call, options: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        call(*options)


def test_another_pair_in_the_same_directory_is_refused(call: Call) -> None:
    call("--page")
    with pytest.raises(UserError, match="holds another comparison"):
        call("--page", sides=("bad.jsonl", "good.jsonl"))
    with pytest.raises(UserError, match="cannot read none.jsonl"):
        call("--page", sides=("good.jsonl", "none.jsonl"))
