import mmap
import os
from pathlib import Path

import pytest

from herd.tools.sandbox.disk_use import ENTRY_BYTES, UnmeasurableError, live_threads, used_bytes

MUCH = 2**40
BLOCK = b"x" * 2**20


def test_files_count_by_their_blocks_and_every_entry_counts(tmp_path: Path) -> None:
    assert used_bytes(str(tmp_path), MUCH, None) == 0
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(BLOCK)
    (tmp_path / "empty").touch()
    used = used_bytes(str(tmp_path), MUCH, None)
    assert len(BLOCK) + 3 * ENTRY_BYTES <= used <= 1.1 * len(BLOCK) + 5 * ENTRY_BYTES


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BLOCK)
    os.link(tmp_path / "file", tmp_path / "other")
    assert used_bytes(str(tmp_path), MUCH, None) < 1.5 * len(BLOCK)


def test_holes_and_links_do_not_count(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(2**30)
    os.symlink("/", tmp_path / "link")
    assert used_bytes(str(tmp_path), MUCH, None) < 2**20


def test_counting_stops_once_the_limit_is_passed(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).touch()
    used = used_bytes(str(tmp_path), 10 * ENTRY_BYTES, None)
    assert 10 * ENTRY_BYTES < used < 20 * ENTRY_BYTES


def test_a_tree_too_deep_to_walk_is_not_measurable(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(70):
        deep /= "d"
    deep.mkdir(parents=True)
    with pytest.raises(UnmeasurableError, match="deep"):
        used_bytes(str(tmp_path), MUCH, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every directory")
def test_a_directory_that_may_not_be_read_is_not_measurable(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o300)
    with pytest.raises(UnmeasurableError, match="read"):
        used_bytes(str(tmp_path), MUCH, None)


def test_deleted_files_count_while_the_process_holds_them_open(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+b") as file:
        file.write(BLOCK)
        file.flush()
        os.unlink(tmp_path / "file")
        assert used_bytes(str(tmp_path), MUCH, None) == 0
        assert used_bytes(str(tmp_path), MUCH, os.getpid()) >= len(BLOCK)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):  # holds a descriptor of its own
            used_bytes(str(tmp_path), MUCH, os.getpid())


def test_a_process_that_is_gone_has_no_threads_and_no_files(tmp_path: Path) -> None:
    assert live_threads(2**22 + 1) == []
    assert used_bytes(str(tmp_path), MUCH, 2**22 + 1) == 0


def test_a_process_has_its_threads() -> None:
    assert f"/proc/{os.getpid()}/task/{os.getpid()}" in live_threads(os.getpid())
