"""Passes over the corpus: one more than there are stages that must see all of it."""

from herd.data.curation.phases import phases_of


def test_no_stage_at_all_is_one_pass():
    (only,) = phases_of([])
    assert (only.directory_name, only.stages, only.ruled_by, only.surveyed_by) == (
        "0-read",
        (),
        None,
        None,
    )


def test_each_stage_that_must_see_all_begins_a_pass(drop_word, drop_shortest):
    word, shortest = drop_word(), drop_shortest()
    phases = phases_of([word, shortest, word, word, shortest])
    assert [phase.directory_name for phase in phases] == ["0-read", "1-shortest", "2-shortest"]
    assert [len(phase.stages) for phase in phases] == [1, 2, 0]
    assert [phase.surveyed_by is not None for phase in phases] == [True, True, False]
