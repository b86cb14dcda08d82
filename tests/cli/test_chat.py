"""`herd chat` at a terminal and through a pipe: history, commands, interruption."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import herd
from herd.cli.main import run

GREEDY = ("--temperature", "0", "--max-new-tokens", "8")
ENDLESS = ("--seed", "1", "--temperature", "1", "--top-p", "1", "--max-new-tokens", "2000")
DEADLINE_S = 120.0


def answers(babbler: Path, *questions: str, system: str | None = None) -> list[str]:
    """What the library answers, turn by turn."""
    lm = herd.load(babbler)
    dialog = [{"role": "system", "content": system}] if system else []
    said = []
    for question in questions:
        dialog.append({"role": "user", "content": question})
        answer = lm.chat(dialog, temperature=0.0, max_new_tokens=8)
        dialog.append(answer.to_dict())
        said.append(answer.content)
    return said


def pipe(lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))


def test_one_message_is_answered_as_the_library_does(
    babbler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chat", str(babbler), "--message", "one", "--system", "two", *GREEDY]) == 0
    assert capsys.readouterr().out == answers(babbler, "one", system="two")[0] + "\n"


def test_a_pipe_carries_a_message_a_line_and_the_model_remembers(
    babbler: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe("one\n\ntwo\n", monkeypatch)
    assert run(["chat", str(babbler), *GREEDY]) == 0
    first, second = answers(babbler, "one", "two")
    assert capsys.readouterr().out == f"{first}\n{second}\n"
    assert second != answers(babbler, "two")[0]


def test_clear_forgets_and_system_starts_afresh(
    babbler: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe("one\n/clear\ntwo\n/system three\n/system\nfour\n/exit\nfive\n", monkeypatch)
    assert run(["chat", str(babbler), *GREEDY]) == 0
    expected = [
        *answers(babbler, "one"),
        *answers(babbler, "two"),
        *answers(babbler, "four", system="three"),
    ]
    out, err = capsys.readouterr()
    assert out == "".join(f"{answer}\n" for answer in expected)
    assert err.splitlines() == ["cleared", "system message set, conversation cleared", "three"]


def test_save_writes_the_conversation(
    babbler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(f"one\n/save {tmp_path / 'talk.json'}\n", monkeypatch)
    assert run(["chat", str(babbler), "--system", "two", *GREEDY]) == 0
    assert json.loads((tmp_path / "talk.json").read_text())["messages"] == [
        {"role": "system", "content": "two"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": answers(babbler, "one", system="two")[0]},
    ]


@pytest.mark.parametrize("line", ["/dance", "/save", "!?" * 1200])
def test_a_mistake_in_a_pipe_ends_it_with_exit_code_2(
    line: str,
    babbler: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe(f"{line}\none\n", monkeypatch)
    assert run(["chat", str(babbler), *GREEDY]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_a_base_model_is_refused_before_the_first_question(
    base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chat", str(base_model), "--message", "one"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "looks like a base model: continue text with `herd generate`" in line
    assert run(["chat", str(base_model), "--message", "one", "--format", "chatml", *GREEDY]) == 0


def test_sigint_stops_one_answer_and_the_next_message_is_answered(babbler: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "herd.cli.main", "chat", str(babbler), *ENDLESS],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin and process.stdout
    process.stdin.write(b"one\n")
    process.stdin.flush()
    assert os.read(process.stdout.fileno(), 1)  # the answer has begun
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(b"two\n", timeout=DEADLINE_S)
    assert process.returncode == 0
    assert err.decode() == " [stopped]"
    assert rest.decode(errors="replace").count("\n") >= 2  # both answers came to their end


class Terminal:
    """A `herd chat` that believes it is at a terminal."""

    def __init__(self, *arguments: str) -> None:
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "herd.cli.main", "chat", *arguments])
        self.pid, self.shown = pid, ""

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait_for(self, text: str) -> str:
        """Read until `text` appears after what was read before; return what came with it."""
        seen, give_up_at = "", time.monotonic() + DEADLINE_S
        while text not in seen:
            ready, _, _ = select.select([self.fd], [], [], give_up_at - time.monotonic())
            assert ready, f"waited for {text!r}, got {seen!r}"
            seen += os.read(self.fd, 65536).decode(errors="replace")
        return seen

    def wait_for_more_than(self, text: str) -> None:
        """Read until something stands behind `text`."""
        if self.wait_for(text).endswith(text):
            ready, _, _ = select.select([self.fd], [], [], DEADLINE_S)
            assert ready, f"waited for more than {text!r}"
            os.read(self.fd, 65536)

    def leave(self) -> int:
        """Type Ctrl-D and wait for the end; return the exit code."""
        give_up_at = time.monotonic() + DEADLINE_S
        try:
            while True:
                # Again and again: one that comes before readline listens is lost.
                if not select.select([self.fd], [], [], 0.5)[0]:
                    assert time.monotonic() < give_up_at, "Ctrl-D did not end it"
                    self.type("\x04")
                elif not os.read(self.fd, 65536):
                    break
        except OSError:  # how a closed terminal reads on Linux
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.filterwarnings("ignore:.*use of forkpty.*:DeprecationWarning")
def test_at_a_terminal_ctrl_c_stops_an_answer_and_ctrl_d_leaves(
    babbler: Path, tmp_path: Path
) -> None:
    terminal = Terminal(str(babbler), *ENDLESS)
    greeting = terminal.wait_for("> ")
    assert "parameters, context 2,048 tokens" in greeting
    terminal.type("half a line")
    terminal.wait_for("half a line")
    time.sleep(0.3)  # a signal before readline sleeps waits for the next key, in any Python program
    terminal.type("\x03")  # at the prompt it drops the line
    terminal.wait_for("> ")
    terminal.type("one\n")
    terminal.wait_for_more_than("one\r\n")  # the answer has begun
    terminal.type("\x03")
    terminal.wait_for("[stopped]")
    terminal.type("/dance\n")
    terminal.wait_for("there is no command /dance")
    terminal.type(f"/save {tmp_path}\n")
    terminal.wait_for(f"cannot save to {tmp_path}: Is a directory")
    terminal.type(f"/save {tmp_path / 'talk.json'}\n")
    terminal.wait_for("saved to")
    assert terminal.leave() == 0
    messages = json.loads((tmp_path / "talk.json").read_text())["messages"]
    assert [message["role"] for message in messages] in ([], ["user", "assistant"])
