"""Surveys on disk, and the rows of them that an earlier stage leaves."""

import numpy as np
import pytest

from herd.data.curation.survey_files import SurveyFiles, surviving_surveys, write_surveys


class Numbers:
    def __init__(self, n):
        self.n = n

    def columns(self):
        return {"one": np.arange(self.n), "two": np.arange(2 * self.n).reshape(-1, 2)}


@pytest.fixture
def directories(tmp_path):
    for part, n in enumerate((4, 0, 3)):
        names = [f"{part}.{i}" for i in range(n)]
        write_surveys({"a": Numbers(n), "b": Numbers(n)}, names, tmp_path / f"part-{part}")
    return [tmp_path / f"part-{part}" for part in range(3)]


def test_columns_and_names_come_back(directories):
    surveys = SurveyFiles("b", directories)
    assert surveys.n_parts == 3
    assert surveys.column(2, "two").tolist() == [[0, 1], [2, 3], [4, 5]]
    assert surveys.names(0) == ["0.0", "0.1", "0.2", "0.3"]


def test_the_rows_of_what_survives_are_all_that_a_later_stage_sees(tmp_path, directories):
    stays = [np.array([True, False, False, True]), np.empty(0, bool), np.array([True] * 3)]
    found = surviving_surveys(directories, ["b"], lambda part: stays[part], tmp_path / "out")
    surveys = SurveyFiles("b", found)
    assert surveys.column(0, "one").tolist() == [0, 3]
    assert surveys.column(0, "two").tolist() == [[0, 1], [6, 7]]
    assert surveys.names(0) == ["0.0", "0.3"]
    assert found[1:] == directories[1:]  # nothing was dropped there, so nothing is copied


def test_a_part_of_which_nothing_survives_is_empty_and_not_missing(tmp_path, directories):
    stays = [np.zeros(4, bool), np.empty(0, bool), np.zeros(3, bool)]
    found = surviving_surveys(directories, ["a"], lambda part: stays[part], tmp_path / "out")
    surveys = SurveyFiles("a", found)
    assert [surveys.column(part, "two").shape for part in range(3)] == [(0, 2)] * 3
    assert surveys.names(2) == []
