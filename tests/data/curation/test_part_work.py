"""One part through one phase."""

import json

import numpy as np
import pytest

from herd.data.curation.decision_log import read_decisions
from herd.data.curation.part_file import read_part
from herd.data.curation.part_work import PartPaths, work_on_part
from herd.data.curation.phases import phases_of
from herd.data.stage import Outcome
from herd.foundation import UserError


class Fragile:
    """Fails on some documents, as a library may on what nobody has tried."""

    name, version = "fragile", 1

    def __init__(self, fails_on):
        self.fails_on = fails_on

    def open(self):
        def transform(documents):
            for document in documents:
                if self.fails_on(document.name):
                    raise ZeroDivisionError("no parser for this")
            return Outcome(list(documents), [], {"seen": len(documents)})

        return transform


def run(tmp_path, batches, stages):
    paths = PartPaths(tmp_path, "00000")
    summary = work_on_part(batches, phases_of(stages)[0], paths)
    return paths, summary


def names_in(paths):
    return [one.name for batch in read_part(paths.documents) for one in batch]


def test_documents_decisions_and_survey_lie_beside_each_other(
    tmp_path, make_documents, drop_word, drop_shortest
):
    documents = make_documents(20)
    paths, summary = run(
        tmp_path, [documents[:9], documents[9:]], [drop_word(word="text 5 "), drop_shortest()]
    )
    assert names_in(paths) == [one.name for one in documents if one.name != "d5"]
    assert [d.document for _, d in read_decisions(paths.decisions)] == ["d5"]
    lengths = np.load(paths.survey / "shortest/length.npy")
    assert lengths.tolist() == [len(one.text) for one in documents if one.name != "d5"]
    assert json.loads((paths.survey / "names.json").read_text()) == names_in(paths)
    assert summary == json.loads(paths.summary.read_text())


@pytest.mark.parametrize("size", [1, 3, 20])
def test_the_summary_does_not_depend_on_batches(tmp_path, make_documents, drop_word, size):
    documents, stages = make_documents(20), [drop_word(word="1", loud="2")]
    _, whole = run(tmp_path / "whole", [documents], stages)
    batches = [documents[i : i + size] for i in range(0, 20, size)]
    _, cut = run(tmp_path / "cut", batches, stages)
    assert cut == whole


def test_a_document_on_which_a_stage_fails_is_dropped_and_named(tmp_path, make_documents):
    paths, summary = run(tmp_path, [make_documents(20)], [Fragile(lambda name: name == "d7")])
    assert "d7" not in names_in(paths) and len(names_in(paths)) == 19
    ((stage, decision),) = read_decisions(paths.decisions)
    assert (stage, decision.document, decision.reason) == ("fragile", "d7", "stage failed")
    assert decision.detail == "ZeroDivisionError: no parser for this"
    assert summary["stages"][0]["counts"] == {"seen": 19}


def test_a_stage_that_fails_on_everything_is_a_bug_and_not_hidden(tmp_path, make_documents):
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, [make_documents(20)], [Fragile(lambda name: True)])
    assert not PartPaths(tmp_path, "00000").summary.exists()


def test_what_a_killed_worker_left_is_done_again(tmp_path, make_documents, drop_shortest):
    paths = PartPaths(tmp_path, "00000")
    (paths.survey / "shortest").mkdir(parents=True)
    (paths.survey / "shortest/length.npy").write_bytes(b"half")
    paths.documents.write_bytes(b"half")
    run(tmp_path, [make_documents(5)], [drop_shortest()])
    assert len(np.load(paths.survey / "shortest/length.npy")) == 5


def test_a_full_disk_leaves_no_summary(tmp_path, make_documents, drop_word, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("herd.data.curation.part_work.PartWriter.close", full)
    with pytest.raises(UserError, match="no space left on the disk"):
        run(tmp_path, [make_documents(5)], [drop_word()])
    assert [path.name for path in tmp_path.iterdir()] == []
