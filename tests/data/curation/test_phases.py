"""Passes over the corpus: one more than there are stages that must see all of it."""

from herd.data import ExactDedup, LineDedup, MinHashDedup, UrlDedup
from herd.data.curation.phases import phases_of


def test_no_stage_at_all_is_one_pass():
    (only,) = phases_of([])
    assert (only.directory_name, only.stages, only.ruled_by, only.surveyed_by) == (
        "0-read",
        (),
        (),
        (),
    )


def test_each_stage_that_must_see_all_begins_a_pass(drop_word, drop_shortest):
    word, shortest = drop_word(), drop_shortest()
    phases = phases_of([word, shortest, word, word, shortest])
    assert [phase.directory_name for phase in phases] == ["0-read", "1-shortest", "2-shortest"]
    assert [len(phase.stages) for phase in phases] == [1, 2, 0]
    assert [len(phase.surveyed_by) for phase in phases] == [1, 1, 0]


def test_stages_in_a_row_that_only_drop_share_a_pass(drop_word):
    shared = [UrlDedup(), ExactDedup(), MinHashDedup(), LineDedup()]
    phases = phases_of(shared)
    assert [phase.directory_name for phase in phases] == [
        "0-read",
        "1-url+exact+minhash",
        "2-lines",
    ]
    assert phases[0].surveyed_by == phases[1].ruled_by == tuple(shared[:3])


def test_a_stage_between_them_ends_the_sharing(drop_word, drop_shortest):
    phases = phases_of([UrlDedup(), drop_word(), ExactDedup(), drop_shortest(), MinHashDedup()])
    names = [phase.directory_name for phase in phases]
    assert names == ["0-read", "1-url", "2-exact", "3-shortest", "4-minhash"]
