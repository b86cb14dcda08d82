"""A log that was killed while it was written loses its last line only; other damage is named."""

import pytest

from herd.evals.arena.append_log import read_log
from herd.evals.arena.rating import Rating, latest_ratings, rating_of
from herd.foundation import MetricsLog, UserError

GOOD = '{"item": "a", "rater": "r", "rating": 1}\n'


@pytest.mark.parametrize("rest", ['{"item": "b", "ra', "\0\0\0\0", '{"it\n', "7\n"])
def test_a_torn_last_line_is_taken_off_and_the_log_goes_on(tmp_path, rest, capsys) -> None:
    path = tmp_path / "ratings.jsonl"
    path.write_text(GOOD + rest)
    assert read_log(path, rating_of) == [Rating("a", "r", 1)]
    assert "taken off" in capsys.readouterr().err
    with MetricsLog(path) as log:
        log.write(Rating("b", "r", 7).to_record())
    assert read_log(path, rating_of) == [Rating("a", "r", 1), Rating("b", "r", 7)]


def test_a_whole_line_without_its_end_is_kept(tmp_path) -> None:
    path = tmp_path / "ratings.jsonl"
    path.write_text(GOOD.strip())
    assert len(read_log(path, rating_of)) == 1
    with MetricsLog(path) as log:
        log.write(Rating("b", "r", None).to_record())
    assert len(read_log(path, rating_of)) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("garbage", "line 2: damaged"),
        ('{"item": "a", "rater": "r", "rating": 9}', "line 2: the rating is 9"),
        ('{"item": "a", "rating": 2}', "line 2: no field 'rater'"),
        ('{"item": 5, "rater": "r", "rating": 2}', "line 2: 5 is no text"),
    ],
)
def test_damage_in_the_middle_is_named_and_nothing_is_lost(tmp_path, line, words) -> None:
    path = tmp_path / "ratings.jsonl"
    path.write_text(f"{GOOD}{line}\n{GOOD}")
    with pytest.raises(UserError, match=words):
        read_log(path, rating_of)
    assert line in path.read_text()


def test_the_last_word_of_each_rater_counts() -> None:
    said = [Rating("a", "r", 1), Rating("a", "s", 2), Rating("a", "r", 5)]
    assert latest_ratings(said) == [Rating("a", "r", 5), Rating("a", "s", 2)]
