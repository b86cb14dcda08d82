"""An engine that could run nothing is refused by the name of the setting."""

import pytest

from herd.foundation import UserError
from herd.inference.engine_config import EngineConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [("step_tokens", 0), ("max_running", 0), ("max_waiting", -1), ("n_proposals", -1)],
)
def test_numbers_that_let_nothing_run_are_refused(field: str, value: int) -> None:
    with pytest.raises(UserError, match=f"{field} is {value}"):
        EngineConfig(**{field: value})


def test_a_step_needs_a_token_for_each_running_sequence() -> None:
    with pytest.raises(UserError, match="step_tokens is 8, but max_running, 9"):
        EngineConfig(step_tokens=8, max_running=9)


def test_half_of_a_step_is_for_answers_unless_said_otherwise() -> None:
    assert EngineConfig(step_tokens=512).running_limit == 256
    assert EngineConfig(step_tokens=1).running_limit == 1
    assert EngineConfig(step_tokens=512, max_running=7).running_limit == 7


def test_prefix_caching_is_on_or_off() -> None:
    with pytest.raises(UserError, match="prefix_caching is 'no'"):
        EngineConfig(prefix_caching="no")  # type: ignore[arg-type]
