"""Tables have room in a pipe, and the width that COLUMNS asks for."""

import pytest

from herd.cli.table_console import PIPED_WIDTH, table_console


def test_a_pipe_is_wide_enough_for_the_names_of_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert table_console().width == PIPED_WIDTH


def test_columns_says_how_wide_a_table_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    assert table_console().width == 77
