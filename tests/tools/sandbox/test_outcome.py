from typing import Any, get_args

import pytest

from herd.tools import ProgramOutcome
from herd.tools.sandbox.outcome import Status


def make_outcome(**changes: Any) -> ProgramOutcome:
    fields: dict[str, Any] = dict(
        status="finished", exit_code=0, stdout="", stderr="", duration_s=0.0, reason=""
    )
    return ProgramOutcome(**{**fields, **changes})


def test_exit_code_0_at_the_end_has_passed() -> None:
    assert make_outcome().passed


@pytest.mark.parametrize("exit_code", [1, 125, None])
def test_any_other_exit_code_has_not(exit_code: int | None) -> None:
    assert not make_outcome(exit_code=exit_code).passed


@pytest.mark.parametrize("status", sorted({*get_args(Status)} - {"finished"}))
def test_no_other_end_has_passed_whatever_the_exit_code(status: str) -> None:
    assert not make_outcome(status=status).passed
