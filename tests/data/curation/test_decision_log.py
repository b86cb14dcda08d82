"""Decisions on disk."""

from herd.data.curation.decision_log import MAX_DETAIL_CHARS, DecisionLog, read_decisions
from herd.data.stage import Decision


def test_decisions_come_back_with_their_stage(tmp_path):
    log = DecisionLog(tmp_path / "log.parquet")
    first = [Decision("a", "dropped", "too short", "3 words"), Decision("b", "changed", "cut")]
    log.write("length", first)
    log.write("pii", [Decision("c", "changed", "e-mail", "x" * 1000)])
    log.close()
    rows = list(read_decisions(tmp_path / "log.parquet"))
    assert rows[:2] == [("length", first[0]), ("length", first[1])]
    assert rows[2] == ("pii", Decision("c", "changed", "e-mail", "x" * MAX_DETAIL_CHARS))


def test_no_decision_makes_an_empty_log(tmp_path):
    DecisionLog(tmp_path / "log.parquet").close()
    assert list(read_decisions(tmp_path / "log.parquet")) == []
