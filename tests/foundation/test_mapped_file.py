"""A mapped file shows its bytes and cannot be changed through the map."""

import pytest

from herd.foundation import UserError, map_file


def test_a_map_shows_the_bytes_and_writing_to_it_leaves_the_file_alone(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    mapped = map_file(path)
    assert mapped[:] == b"abc"
    mapped[0:1] = b"X"
    assert mapped[:] == b"Xbc" and path.read_bytes() == b"abc"


def test_an_empty_file_and_a_directory_are_user_errors(tmp_path):
    (tmp_path / "empty").touch()
    for path in (tmp_path / "empty", tmp_path, tmp_path / "absent"):
        with pytest.raises(UserError, match=str(path)):
            map_file(path)
