import os
from pathlib import Path

import pytest

from herd.tools.sandbox.scratch import open_directory, remove_tree, scratch_directory


def test_the_directory_is_empty_and_gone_afterwards() -> None:
    with scratch_directory() as path:
        assert os.listdir(path) == []
        assert os.stat(path).st_mode & 0o777 == 0o700
        Path(path, "file").write_text("text")
    assert not os.path.lexists(path)


def test_it_is_gone_after_an_error_too() -> None:
    with pytest.raises(KeyboardInterrupt), scratch_directory() as path:
        raise KeyboardInterrupt
    assert not os.path.lexists(path)


def test_links_are_removed_and_not_what_they_point_to(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("kept")
    with scratch_directory() as path:
        os.symlink(tmp_path / "outside", Path(path, "link"))
        os.mkdir(Path(path, "inner"))
        os.symlink(tmp_path / "outside", Path(path, "inner", "link"))
        os.symlink("/nowhere", Path(path, "dangling"))
        os.link(tmp_path / "outside" / "file", Path(path, "hard"))
    assert (tmp_path / "outside" / "file").read_text() == "kept"


def test_a_tree_deeper_than_paths_and_recursion_go_is_removed() -> None:
    with scratch_directory() as path:
        at = open_directory(path)
        for _ in range(1200):
            os.mkdir("directory", dir_fd=at)
            deeper = open_directory("directory", at)
            os.close(at)
            at = deeper
        os.close(at)
    assert not os.path.lexists(path)


def test_directories_without_permissions_pipes_and_odd_names_are_removed() -> None:
    with scratch_directory() as path:
        for name in (b"\xff\n ", b"-rf", b"..."):
            os.makedirs(os.fsencode(path) + b"/" + name + b"/inner/innermost")
        os.mkfifo(Path(path, "pipe"))
        os.mkdir(Path(path, "closed"))
        os.mkdir(Path(path, "closed", "inner"))
        os.chmod(Path(path, "closed", "inner"), 0)
        os.chmod(Path(path, "closed"), 0)
    assert not os.path.lexists(path)


def test_a_link_is_not_opened_as_a_directory(tmp_path: Path) -> None:
    os.symlink(tmp_path, tmp_path / "link")
    with pytest.raises(OSError):
        open_directory(str(tmp_path / "link"))


def test_only_a_directory_is_removed_as_a_tree(tmp_path: Path) -> None:
    os.symlink(tmp_path, tmp_path / "link")
    with pytest.raises(OSError):
        remove_tree(str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
