"""Counters that add up over batches and parts in whatever order."""

import itertools
import json

from herd.data.curation.funnel import StageFlow, merge_flows


def flow_of(documents, transform):
    flow = StageFlow("word")
    flow.note(documents, transform(documents))
    return flow


def test_a_row_says_what_went_in_and_out_and_why(make_documents, drop_word):
    documents = make_documents(5)
    row = flow_of(documents, drop_word(word="text 3", loud="text 4").open()).to_json()
    assert (row["documents_in"], row["documents_out"]) == (5, 4)
    assert (row["dropped"], row["changed"]) == ({"word": 1}, {"made louder": 1})
    assert row["bytes_in"] - row["bytes_out"] == len(documents[3].text)
    assert row["counts"] == {"letters": len(documents[4].text)}


def test_rows_survive_json_and_add_up_in_any_order(make_documents, drop_word):
    transform = drop_word(word="3", loud="4").open()
    parts = [[flow_of(make_documents(n), transform)] for n in (3, 11, 40)]
    whole = [flow.to_json() for flow in merge_flows(parts)]
    for order in itertools.permutations(parts):
        again = [
            [StageFlow.from_json(json.loads(json.dumps(f.to_json()))) for f in part]
            for part in order
        ]
        assert [flow.to_json() for flow in merge_flows(again)] == whole


def test_no_part_makes_no_row():
    assert merge_flows([]) == []
