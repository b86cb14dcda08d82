"""Bad files: one line that names the file, whatever is in it."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.tokenizer import Tokenizer, load
from herd.tokenizer.sentencepiece_file import Kind, Piece, SentencePieceModel, format_sentencepiece

RANKS = b"".join(base64.b64encode(bytes([b])) + b" %d\n" % b for b in range(256))
PIECES = (
    Piece("<unk>", 0.0, Kind.UNKNOWN),
    Piece("<s>", 0.0, Kind.CONTROL),
    Piece("a", -1.0, Kind.NORMAL),
)
MODEL = format_sentencepiece(SentencePieceModel(pieces=PIECES, eos_id=-1))
JSON = json.dumps(
    {
        "added_tokens": [],
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
    }
).encode()

BAD = {
    "empty": b"",
    "blank": b" \n\n",
    "binary": bytes(range(256)) * 4,
    "prose": b"Once upon a time there was a llama.\n",
    "truncated gguf": b"GGUF\x03\x00\x00\x00",
    "truncated ranks": RANKS[:200],
    "rank twice": RANKS + b"YWI= 3\n",
    "token twice": RANKS + b"YQ== 256\n",
    "bad base64": RANKS + b"Y!I= 256\n",
    "bad padding": RANKS + b"YWI 256\n",
    "gap in ranks": RANKS + b"YWI= 300\n",
    "huge rank": RANKS + b"YWI= 99999999999999999999\n",
    "long token": RANKS + base64.b64encode(b"x" * 5000) + b" 256\n",
    "truncated sentencepiece": MODEL[:-7],
    "lying length": b"\x0a\xff\xff\xff\xff\x0f" + MODEL,
    "two unknown": format_sentencepiece(
        SentencePieceModel(pieces=(*PIECES, Piece("u", 0.0, Kind.UNKNOWN)))
    ),
    "piece twice": format_sentencepiece(SentencePieceModel(pieces=(*PIECES, PIECES[2]))),
    "some bytes": format_sentencepiece(
        SentencePieceModel(pieces=(*PIECES, Piece("<0x00>", 0.0, Kind.BYTE)))
    ),
    "not a number": format_sentencepiece(
        SentencePieceModel(pieces=(*PIECES, Piece("n", float("nan"), Kind.NORMAL)))
    ),
    "bos outside": format_sentencepiece(SentencePieceModel(pieces=PIECES, bos_id=77)),
    "invalid json": b'{"model": ',
    "json list": b"[1, 2]",
    "json without model": b'{"a": 1}',
    "deep json": b"[" * 100_000,
    "unknown model": JSON.replace(b"BPE", b"XYZ"),
    "merge of strangers": JSON.replace(b"a b", b"x y"),
    "merge of three": JSON.replace(b"a b", b"a b c"),
    "huge id": JSON.replace(b'"ab": 2', b'"ab": 2000000000'),
    "negative id": JSON.replace(b'"ab": 2', b'"ab": -2'),
    "vocab of lists": JSON.replace(b'{"a": 0, "b": 1, "ab": 2}', b"[[1], 2]"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gives_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(BAD[name])
    with pytest.raises(UserError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_the_good_files_they_were_made_from_load(tmp_path: Path) -> None:
    for name, content in {"r": RANKS, "m": MODEL, "j": JSON}.items():
        (tmp_path / name).write_bytes(content)
        assert load(tmp_path / name).encode("a")


def test_missing_files_and_directories_without_a_tokenizer_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(UserError, match=path.name):
            load(path)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_never_do_anything_but_load_or_complain(
    data: st.DataObject, tmp_path: Path
) -> None:
    content = bytearray(data.draw(st.sampled_from([RANKS, MODEL, JSON])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        change = data.draw(st.sampled_from(["flip", "cut", "insert", "double"]))
        if change == "flip":
            content[at] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del content[at : at + data.draw(st.integers(1, 30))]
        elif change == "insert":
            content[at:at] = data.draw(st.binary(max_size=12))
        else:
            content += content[at:]
        content = content or bytearray(b"x")
    path = tmp_path / "any"
    path.write_bytes(content)
    try:
        tokenizer = load(path)
        tokenizer.decode(tokenizer.encode("a b \U0001f999"))
    except UserError as error:
        assert "\n" not in str(error)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=400))
def test_random_bytes_never_do_anything_but_complain(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    with pytest.raises(UserError):
        load(path)


def test_roles_come_from_the_files_beside(trained: Tokenizer, tmp_path: Path) -> None:
    trained.save(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config |= {"eos_token": {"content": "<|eot_id|>"}, "add_bos_token": False}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, 6]}))
    tokenizer = load(tmp_path)
    assert tokenizer.eos_id == trained.special_tokens["<|eot_id|>"]
    assert {5, 6, tokenizer.eos_id} <= tokenizer.stop_ids
    assert not tokenizer.adds_bos
    assert tokenizer.chat_template == "{{ messages }}"
