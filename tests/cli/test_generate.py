"""`herd generate` writes the continuation to stdout and nothing else there."""

import io
import json
from pathlib import Path

import pytest

import herd
from herd.cli.main import run

GREEDY = ("--temperature", "0", "--max-new-tokens", "12")


def test_the_continuation_is_that_of_the_library(
    babbler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", str(babbler), "one", *GREEDY]) == 0
    expected = herd.load(babbler).generate("one", temperature=0.0, max_new_tokens=12)
    assert capsys.readouterr().out == expected + "\n"


def test_json_says_what_happened(babbler: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", str(babbler), "one two", "--seed", "3", "--json", *GREEDY]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["prompt"], report["new_tokens"], report["finish_reason"]) == (
        "one two",
        12,
        "length",
    )
    assert len(report["logprobs"]) == 12 and max(report["logprobs"]) <= 0


def test_a_dash_reads_the_prompt_from_stdin(
    babbler: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = "one\ntwo \N{CAT FACE}"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(prompt.encode())))
    assert run(["generate", str(babbler), "-", "--json", *GREEDY]) == 0
    assert json.loads(capsys.readouterr().out)["prompt"] == prompt


def test_stdin_that_is_not_text_is_one_line(
    babbler: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ab\xff")))
    assert run(["generate", str(babbler), "-"]) == 2
    assert capsys.readouterr().err == "herd: the prompt on stdin is not UTF-8 text (byte 2)\n"


def test_the_text_follows_a_schema_from_a_file(
    babbler: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    (tmp_path / "s.json").write_text(json.dumps(schema | {"additionalProperties": False}))
    options = ["--json-schema", str(tmp_path / "s.json"), "--seed", "0", "--temperature", "1"]
    assert run(["generate", str(babbler), "one", *options]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] in (True, False)


@pytest.mark.parametrize("options", [["--draft", "lookup"], ["--quantize", "int8"]])
def test_guessing_and_quantised_weights_need_only_an_option(
    options: list[str], babbler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", str(babbler), "one one one", *GREEDY, *options]) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--regex", "(("], "regular expression is refused at character"),
        (["--json-schema", "nowhere.json"], "nowhere.json: No such file"),
        (["--json-schema", "/dev/zero"], "/dev/zero has more than 1,048,576 bytes"),
        (["--json-schema", '{"type": "object"}'], "takes a file"),
        (["--draft", "nobody"], "the draft: no model 'nobody'"),
        (["--regex", "a", "--json-schema", "b"], "exclude each other"),
        (["--min-p", "2"], "min_p is 2.0"),
        (["--temperature", "-1"], "temperature is -1.0"),
        (["--top-p", "2"], "top_p is 2.0"),
        (["--max-new-tokens", "-5"], "max_new_tokens is -5"),
    ],
)
def test_a_bad_setting_is_one_line(
    arguments: list[str], words: str, babbler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", str(babbler), "one", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, words in err, err.count("\n")) == ("", True, 1)


def test_a_prompt_longer_than_the_context_is_one_line_with_counts(
    babbler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", str(babbler), "!?" * 1200]) == 2
    assert "2,400 tokens, but the model's context holds 2,048" in capsys.readouterr().err


def test_an_unknown_model_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "smollm3", "one"]) == 2
    assert "nearest: smollm2-135m" in capsys.readouterr().err
