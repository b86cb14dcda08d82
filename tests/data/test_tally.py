from herd.data import Tally


def test_a_tally_names_only_so_many():
    tally = Tally()
    for i in range(2000):
        tally.note("read", "binary file", f"{i}.bin")
    assert tally.counts["read", "binary file"] == 2000
    assert len(tally.statistics()["names"]["read"]["binary file"]) == 1000
