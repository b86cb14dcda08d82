"""Numbers as people read them: counts, bytes and durations with their unit.

In: a number. Out: a short text.
"""

COUNT_UNITS = ("", "k", "M", "B", "T")
BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def format_count(count: float) -> str:
    """Return a count with three significant digits: 1234567 is `1.23M`."""
    value, unit = float(count), 0
    while abs(value) >= 999.5 and unit < len(COUNT_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0 and value == int(value):
        return str(int(value))
    return f"{_three_digits(value)}{COUNT_UNITS[unit]}"


def format_bytes(n_bytes: float) -> str:
    """Return a size in binary units: 1536 is `1.50 KiB`."""
    value, unit = float(n_bytes), 0
    while abs(value) >= 1023.5 and unit < len(BYTE_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{int(value)} B" if unit == 0 else f"{_three_digits(value)} {BYTE_UNITS[unit]}"


def format_seconds(duration_s: float) -> str:
    """Return a duration: 0.25 is `250 ms`, 75 is `1 m 15 s`, 3700 is `1 h 01 m`."""
    if duration_s < 0.9995:
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 59.95:
        return f"{duration_s:.1f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    if minutes < 60:
        return f"{minutes} m {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} m"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def _three_digits(value: float) -> str:
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"
