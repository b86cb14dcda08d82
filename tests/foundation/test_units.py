import pytest

from herd.foundation import format_bytes, format_count, format_seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (7, "7"), (0.25, "0.25"), (999, "999"), (999.9, "1.00k"), (1234, "1.23k"),
        (405_853_388_800, "406B"), (1.56e13, "15.6T"), (-1500, "-1.50k"), (99.96, "100"),
    ],
)  # fmt: skip
def test_counts_read_as_people_write_them(value: float, text: str) -> None:
    assert format_count(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.50 KiB"), (24 * 2**30, "24.0 GiB")]
)
def test_bytes_are_in_binary_units(value: float, text: str) -> None:
    assert format_bytes(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.25, "250 ms"), (0.9999, "1.0 s"), (59.94, "59.9 s"), (59.97, "1 m 00 s"), (75, "1 m 15 s"),
        (3599.6, "1 h 00 m"), (3700, "1 h 01 m"), (90_000, "1 d 01 h"),
    ],
)  # fmt: skip
def test_durations_are_in_two_units(value: float, text: str) -> None:
    assert format_seconds(value) == text
