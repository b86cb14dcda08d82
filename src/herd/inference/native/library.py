"""The C code of this folder as a library: compiled once for this machine, kept in Herd's cache.

In: nothing but a C compiler. Out: a `ctypes` library whose functions have their types, or the reason why there is
none. Never: code from anywhere else; the name of the file holds the digest of source, compiler and processor.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import platform
import shutil
import subprocess
import time
from ctypes import POINTER, c_int, c_void_p
from pathlib import Path

from herd.foundation import (
    UserError,
    atomic_file,
    cache_directory,
    sha256_file,
    write_text,
)
from herd.inference.native.structures import MatrixStruct, ModelStruct, StepStruct

SOURCE_DIRECTORY = Path(__file__).resolve().parent
MAIN_SOURCE = "llama.c"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O3", "-std=gnu11", "-shared", "-fPIC", "-pthread", "-march=native")
COMPILE_TIMEOUT_S = 180


class NoNativeCodeError(Exception):
    """Why there is no native code on this machine, in one line."""


@functools.cache
def open_library(extra_flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """Return the library, compiled now if it has not been before. Raises NoNativeCodeError."""
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise NoNativeCodeError(f"there is no C compiler ({', '.join(COMPILERS)}) on PATH")
    flags = (*FLAGS, *extra_flags)
    path = cache_directory() / "native" / f"llama-{_fingerprint(compiler, flags)}.so"
    try:
        if not _is_whole(path):
            _compile(compiler, flags, path)
        return _loaded(path)
    except (OSError, AttributeError, UserError) as error:  # a full disk, a strange compiler
        raise NoNativeCodeError(f"the compiled code cannot be used: {error}") from error


def _compile(compiler: str, flags: tuple[str, ...], path: Path) -> None:
    """Compile, load once on trial, and keep the file with its digest beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    with atomic_file(path) as partial:
        command = [compiler, *flags, str(SOURCE_DIRECTORY / MAIN_SOURCE), "-o", str(partial), "-lm"]
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, errors="replace",
                timeout=COMPILE_TIMEOUT_S,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if "error" in line]
            raise NoNativeCodeError(f"{compiler} failed: {(lines or ['no message'])[0]}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoNativeCodeError(f"{compiler} failed: {error}") from error
        _loaded(partial)
        write_text(_digest_path(path), sha256_file(partial))


def _remove_leftovers(directory: Path) -> None:
    """Remove what a killed compilation left; others may be compiling right now."""
    for leftover in directory.glob(".llama-*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > COMPILE_TIMEOUT_S:
                leftover.unlink()


def _is_whole(path: Path) -> bool:
    """A library cut short would end this process with a signal once its code is called."""
    try:
        return _digest_path(path).read_bytes() == sha256_file(path).encode()
    except OSError:
        return False


def _digest_path(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _loaded(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    _declare(library)
    return library


def _fingerprint(compiler: str, flags: tuple[str, ...]) -> str:
    """Return a digest of all that the machine code hangs on: homes are shared between machines."""
    digest = hashlib.sha256()
    for source in sorted(SOURCE_DIRECTORY.glob("*.[ch]")):
        digest.update(source.read_bytes())
    stat = Path(compiler).resolve().stat()
    digest.update(repr((compiler, stat.st_size, stat.st_mtime_ns, flags)).encode())
    digest.update(_processor().encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.platform() + platform.processor()
    wanted = ("flags", "Features", "model name", "cpu family", "model\t")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _declare(library: ctypes.CDLL) -> None:
    library.herd_lanes.restype = c_int
    library.herd_open.argtypes, library.herd_open.restype = [c_int], c_void_p
    library.herd_close.argtypes, library.herd_close.restype = [c_void_p], None
    library.herd_step.argtypes = [c_void_p, POINTER(ModelStruct), POINTER(StepStruct)]
    library.herd_step.restype = c_int
    library.herd_multiply.argtypes = [POINTER(MatrixStruct), c_void_p, c_int, c_int, c_void_p]
    library.herd_multiply.restype = c_int
    for name, n_pointers in (("float32", 1), ("bfloat16", 1), ("int8", 2)):
        pack = getattr(library, f"herd_pack_{name}")
        pack.argtypes = [c_void_p] * n_pointers + [c_int, c_int] + [c_void_p] * n_pointers
        pack.restype = None
