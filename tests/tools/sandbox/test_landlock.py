from pathlib import Path

import pytest

from herd.tools.sandbox.landlock import WRITE_TREE, build_ruleset, landlock_abi, readable_grants


def test_every_right_that_a_version_knows_is_handled() -> None:
    handled = {abi: build_ruleset(abi, {}).handled_fs for abi in range(1, 7)}
    assert handled == {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF, 6: 0xFFFF}


def test_tcp_is_refused_from_version_4_and_signals_to_others_from_6() -> None:
    assert [build_ruleset(abi, {}).handled_net for abi in (3, 4)] == [0, 3]
    assert [build_ruleset(abi, {}).scoped for abi in (5, 6)] == [0, 3]


def test_the_size_of_the_attributes_is_what_that_version_reads() -> None:
    assert [build_ruleset(abi, {}).attribute_bytes for abi in range(1, 7)] == [8, 8, 8, 16, 16, 24]


def test_a_later_version_is_taken_for_the_last_one_known() -> None:
    assert build_ruleset(99, {}) == build_ruleset(6, {})


@pytest.mark.parametrize("abi", range(1, 7))
def test_no_right_is_granted_that_is_not_handled(abi: int) -> None:
    ruleset = build_ruleset(abi, {"/scratch": WRITE_TREE})
    ((_, access),) = ruleset.rules
    assert access & ~ruleset.handled_fs == 0


def test_the_scratch_directory_may_hold_no_device_no_socket_and_no_program() -> None:
    ((_, access),) = build_ruleset(6, {"/scratch": WRITE_TREE}).rules
    execute, make_char, make_sock, make_block, ioctl_dev = 0, 6, 9, 11, 15
    assert not any(
        access >> bit & 1 for bit in (execute, make_char, make_sock, make_block, ioctl_dev)
    )


def test_only_what_is_there_is_granted(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    missing = str(tmp_path / "missing")
    grants = readable_grants([str(tmp_path), missing, str(file)], [str(file), missing])
    assert grants == {str(tmp_path): ("read_file", "read_dir"), str(file): ("read_file",)}


def test_the_version_is_a_number_from_0() -> None:
    assert landlock_abi() >= 0
