"""A stop string cuts a text in the same place however the text is cut into pieces."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from herd.inference import StopStrings

QUICK = settings(max_examples=200, deadline=None)
AB_TEXT = st.text("abc", max_size=14)
STOPS = st.lists(st.text("abc", min_size=1, max_size=4), max_size=3)


def cut_plainly(text: str, stops: list[str]) -> str:
    """Read character by character; the first stop string to be complete cuts the text."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))]
    return text


@QUICK
@given(text=AB_TEXT, stops=STOPS, cuts=st.lists(st.integers(0, 14), max_size=5))
def test_stop_strings_are_found_however_the_text_is_cut(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    watcher = StopStrings(stops)
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    passed = "".join(watcher.push(text[a:b]) for a, b in itertools.pairwise(edges))
    assert text.startswith(passed)
    assert passed + watcher.flush() == cut_plainly(text, stops)
    assert watcher.found == any(stop in text for stop in stops)


@QUICK
@given(text=AB_TEXT, stops=STOPS)
def test_nothing_is_held_back_without_need(text: str, stops: list[str]) -> None:
    watcher = StopStrings(stops)
    passed = watcher.push(text)
    held = "" if watcher.found else text[len(passed) :]
    assert not held or any(stop.startswith(held) and stop != held for stop in stops)
