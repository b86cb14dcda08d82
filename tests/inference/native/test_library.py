"""Whatever is wrong with the compiler or the cache, there is a reason in one line, never a crash."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from herd.inference.native.library import NoNativeCodeError, open_library


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    open_library.cache_clear()
    yield tmp_path / "herd" / "native"
    open_library.cache_clear()


def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a `cc` of our own, and nothing else, on PATH."""
    (tmp_path / "bin").mkdir()
    path = tmp_path / "bin" / "cc"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 1", "failed: no message"),
        ('echo "x.c:1: error: bad \\377" >&2; exit 1', "error: bad"),
        ("exit 0", "cannot be used"),
        ('while [ "$1" != -o ]; do shift; done; echo garbage > "$2"', "cannot be used"),
        ('while [ "$1" != -o ]; do shift; done; : > "$2"', "cannot be used"),
    ],
)
def test_a_strange_compiler_is_a_reason(
    script: str, reason: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler(tmp_path, monkeypatch, script)
    with pytest.raises(NoNativeCodeError, match=reason):
        open_library()
    assert not list(cache.glob("*.so"))


def test_no_compiler_is_a_reason(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoNativeCodeError, match="no C compiler"):
        open_library()


def test_a_cache_that_cannot_be_written_is_a_reason(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(NoNativeCodeError, match="cannot be used"):
        open_library()


def test_a_damaged_library_is_compiled_again(cache: Path) -> None:
    open_library()
    (path,) = cache.glob("*.so")
    whole = path.read_bytes()
    path.unlink()  # not changed in place: this process has it mapped
    path.write_bytes(whole[: len(whole) // 2])
    open_library.cache_clear()
    assert open_library().herd_lanes() in (4, 8, 16)
    assert path.read_bytes() == whole
