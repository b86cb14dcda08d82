import dataclasses
import math

import pytest

from herd.foundation import UserError
from herd.tools import SandboxLimits


def test_the_defaults_are_whole() -> None:
    limits = SandboxLimits()
    assert limits.timeout_s == 10.0
    assert limits.memory_bytes == 2**30
    assert limits.scratch_bytes == 64 * 2**20
    assert limits.output_bytes == 2**20


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(SandboxLimits)])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, True])
def test_a_limit_that_is_none_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(UserError, match=field):
        SandboxLimits(**{field: value})


def test_less_memory_than_the_interpreter_maps_is_refused() -> None:
    with pytest.raises(UserError, match="Python needs"):
        SandboxLimits(memory_bytes=2**20)


def test_seconds_of_processor_time_are_rounded_up_for_the_kernel() -> None:
    assert SandboxLimits(cpu_s=0.1).resource_limits()["RLIMIT_CPU"] == (1, 2)


def test_one_file_may_pass_the_limit_far_enough_to_be_noticed() -> None:
    limits = SandboxLimits(scratch_bytes=1000)
    assert limits.resource_limits()["RLIMIT_FSIZE"][0] > limits.scratch_bytes + 4096
