import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from herd.cli import main
from herd.cli.main import VERBS, run


def herd(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "herd.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_help_lists_every_verb() -> None:
    result = herd("--help")
    assert result.returncode == 0
    assert all(verb in result.stdout for verb in VERBS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "there is no verb 'frobnicate'"),
        (["gnerate"], "did you mean 'generate'?"),
        (["doctor", "--nonsense"], "--nonsense"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_no_words_at_all_print_the_help() -> None:
    result = herd()
    assert result.returncode == 2
    assert "Verbs:" in result.stderr


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("herd ")


def test_a_reader_that_leaves_early_causes_no_trace(tmp_path: Path) -> None:
    program = "import sys; from herd.cli import main\nmain._explain(BrokenPipeError()); print('x' * 100000)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ
    )
    assert result.returncode == 0
    assert result.stderr == ""


@pytest.mark.parametrize("closed", [0, 1])
def test_a_closed_stream_causes_no_trace(closed: int) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "herd.cli.main", "generate", "nowhere", "-"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: os.close(closed),
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.startswith("herd: no model 'nowhere'") and result.stderr.count("\n") == 1


def test_a_character_that_the_terminal_lacks_causes_no_trace() -> None:
    result = herd("no-such-vérb", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert result.returncode == 2
    assert "v?rb" in result.stderr and result.stderr.count("\n") == 1


def test_who_writes_to_nobody_ends_like_other_commands() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "herd.cli.main", "--help"]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")


def test_a_refusal_of_the_system_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main._explain(PermissionError(13, "Permission denied", "some/file")) == 2
    assert capsys.readouterr().err == "herd: some/file: Permission denied\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_to_end_leaves_nothing_half_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "verb.py").write_text(
        "import sys, time\n"
        "from herd.cli import main\n"
        "from herd.foundation import atomic_directory\n"
        "def wait(arguments):\n"
        f"    with atomic_directory({str(tmp_path / 'out')!r}):\n"
        "        print('at work', flush=True)\n"
        "        time.sleep(60)\n"
        "class Command:\n"
        "    def main(self, **options):\n"
        "        wait(options)\n"
        "main.typer.main.get_command = lambda app: Command()\n"
        "main.main([])\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "verb.py")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "at work\n"
    number = getattr(signal, name)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    said = "interrupted" if name == "SIGINT" else f"ended by {name}"
    assert error == f"herd: {said}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["verb.py"]
