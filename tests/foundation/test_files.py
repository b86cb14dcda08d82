import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from herd.foundation import (
    UserError,
    atomic_directory,
    atomic_file,
    read_json,
    remove_partials,
    sha256_file,
    write_json,
    write_text,
)


def test_text_and_json_come_back(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "a.txt", "naïve\n")
    write_json(tmp_path / "b.json", {"x": [1, None, "é"]})
    assert (tmp_path / "deep" / "a.txt").read_text(encoding="utf-8") == "naïve\n"
    assert read_json(tmp_path / "b.json") == {"x": [1, None, "é"]}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "a.txt") as partial:
        partial.write_text("new, half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_failed_directory_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_directory(tmp_path / "d") as partial:
        (partial / "x").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_directory_appears_whole_and_replaces_only_when_asked(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "d") as partial:
        (partial / "x").write_text("1")
        assert not (tmp_path / "d").exists()
    with (
        pytest.raises(UserError, match="already exists"),
        atomic_directory(tmp_path / "d"),
    ):
        pass
    with atomic_directory(tmp_path / "d", replace=True) as partial:
        (partial / "x").write_text("2")
    assert (tmp_path / "d" / "x").read_text() == "2"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize("n_renames", [0, 1])
def test_ctrl_c_between_two_renames_leaves_the_old_directory(
    n_renames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with atomic_directory(tmp_path / "d") as partial:
        (partial / "x").write_text("old")
    real, seen = os.replace, []

    def replace(source: Path, target: Path) -> None:
        seen.append(target)
        if len(seen) == n_renames + 1:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with (
        pytest.raises(KeyboardInterrupt),
        atomic_directory(tmp_path / "d", replace=True) as partial,
    ):
        (partial / "x").write_text("new")
    assert (tmp_path / "d" / "x").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path: Path, code: int) -> None:
    with (
        pytest.raises(UserError, match="no space left on the disk while writing"),
        atomic_file(tmp_path / "a.bin") as partial,
    ):
        partial.write_bytes(b"some")
        raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


def test_a_real_file_size_limit_is_one_clear_line(tmp_path: Path) -> None:
    program = (
        "import resource, signal; from herd.foundation import write_text\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"write_text({str(tmp_path / 'a.txt')!r}, 'x' * 5000)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "UserError: no space left on the disk while writing" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_array_that_a_full_disk_cuts_short_is_one_clear_line(tmp_path: Path) -> None:
    program = (
        "import resource, signal, numpy; from herd.foundation import explain_write_errors\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"with explain_write_errors('survey'):\n"
        f"    numpy.save({str(tmp_path / 'a.npy')!r}, numpy.arange(5000))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "UserError: no space left on the disk while writing survey" in result.stderr


def test_a_killed_writer_leaves_only_what_remove_partials_clears(tmp_path: Path) -> None:
    program = (
        "import os, signal; from herd.foundation import atomic_directory\n"
        f"with atomic_directory({str(tmp_path / 'd')!r}) as partial:\n"
        "    (partial / 'x').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert not (tmp_path / "d").exists()
    assert list(tmp_path.iterdir()) != []
    remove_partials(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_directory_is_needed_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("below.txt", "further/below.txt"):
        with pytest.raises(UserError, match="cannot write"):
            write_text(tmp_path / "file" / name, "x")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b""])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json is not valid JSON"):
        read_json(tmp_path / "a.json")


def test_sha256_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "a") == expected


def test_files_in_a_finished_directory_have_the_users_permissions(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "d") as partial:
        (partial / "x").write_text("1")
        (partial / "x").chmod(0o600)  # as some libraries write
    (tmp_path / "plain").write_text("1")
    assert (tmp_path / "d" / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="no file that could be replaced"):
        write_text(tmp_path / "pipe", "x")
    assert (tmp_path / "pipe").is_fifo()
