"""What the stages keep, against plain rules, in any parts and any memory."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data import ExactDedup, LineDedup, MinHashDedup, UrlDedup
from herd.data.dedup.line_hashes import BEYOND_ASCII, line_hashes
from herd.data.dedup.url_stage import normalised_url, time_s
from herd.foundation import UserError

PARTS_AND_MEMORY = [(1, 1 << 30), (3, 1 << 30), (7, 1 << 30), (3, 300), (7, 65)]


def names(documents):
    return [document.name for document in documents]


@pytest.mark.parametrize(("n_parts", "memory_bytes"), PARTS_AND_MEMORY)
def test_the_first_of_equal_texts_stays(apply, make, n_parts, memory_bytes):
    documents = make([f"text {n % 7}" + " " * (n // 20) for n in range(40)])
    kept, decisions, counts = apply(
        ExactDedup(), documents, n_parts=n_parts, memory_bytes=memory_bytes
    )
    assert names(kept) == [f"d{n}" for n in range(7)]
    assert {d.document: d.detail for d in decisions} == {f"d{n}": f"d{n % 7}" for n in range(7, 40)}
    assert counts == {"exact duplicates": 33}
    assert names(apply(ExactDedup(), kept)[0]) == names(kept)


@pytest.mark.parametrize(("n_parts", "memory_bytes"), PARTS_AND_MEMORY)
def test_the_latest_version_of_a_url_stays(apply, make, n_parts, memory_bytes):
    metas = [{"url": f"https://a.org/{n % 5}", "date": f"2023-0{n % 3 + 1}-01"} for n in range(30)]
    documents = make([f"{n}" for n in range(30)], metas)
    kept, _, _ = apply(UrlDedup(), documents, n_parts=n_parts, memory_bytes=memory_bytes)
    best = {}
    for n in range(30):
        if n % 5 not in best or n % 3 > best[n % 5] % 3:
            best[n % 5] = n
    assert names(kept) == [f"d{n}" for n in sorted(best.values())]


def test_documents_without_url_are_not_touched(apply, make):
    assert len(apply(UrlDedup(), make(["a", "a", "b"]))[0]) == 3


@pytest.mark.parametrize(
    "same",
    [
        ("https://a.org/x", "http://www.A.org:80/x/"),
        ("https://a.org/x?a=1", "https://a.org/x?utm_source=mail&a=1#part"),
        ("https://a.org", "https://a.org/?fbclid=abc"),
    ],
)
def test_what_does_not_change_a_page_does_not_change_its_key(same):
    assert normalised_url(same[0]) == normalised_url(same[1])


@pytest.mark.parametrize("other", ["https://a.org/y", "https://a.org/x?a=2", "https://b.org/x"])
def test_other_pages_have_other_keys(other):
    assert normalised_url(other) != normalised_url("https://a.org/x")


@pytest.mark.parametrize("url", ["http://[bad", "::::", "http://a:b:c/", "\0", "x" * 10_000])
def test_a_url_that_is_none_does_no_harm(url):
    assert isinstance(normalised_url(url), str)


@pytest.mark.parametrize(
    ("date", "seconds"),
    [("1970-01-02", 86400), ("1970-01-01T00:00:05Z", 5), ("soon", 0), ("", 0), ("9999-99-99", 0)],
)
def test_dates_are_seconds(date, seconds):
    assert time_s(date) == seconds


@pytest.mark.parametrize(("n_parts", "memory_bytes"), [(1, 1 << 30), (5, 1 << 30), (5, 2000)])
def test_near_duplicates_go_and_the_longest_stays(apply, make, near, n_parts, memory_bytes):
    pairs = [near(400, 5) for _ in range(20)]
    texts = [one for one, _ in pairs] + [f"{copy} and a few words more" for _, copy in pairs]
    documents = make(texts)
    kept, decisions, counts = apply(
        MinHashDedup(), documents, n_parts=n_parts, memory_bytes=memory_bytes
    )
    assert names(kept) == [f"d{n}" for n in range(20, 40)]
    assert {d.document: d.detail for d in decisions} == {f"d{n}": f"d{n + 20}" for n in range(20)}
    assert counts == {"clusters": 20, "near-duplicates": 20}


def test_texts_that_share_little_stay(apply, make, near):
    pairs = [near(400, 80) for _ in range(20)]  # a Jaccard similarity of about a fifth
    kept, _, _ = apply(MinHashDedup(), make([text for pair in pairs for text in pair]))
    assert len(kept) == 40


def test_the_ends_of_a_chain_both_stay(apply, make):
    """Each is like its neighbour; the first and the last are not alike."""
    words = [f"w{n}" for n in range(1000)]
    chain = [" ".join(words[40 * n : 40 * n + 500]) for n in range(8)]
    kept, decisions, _ = apply(MinHashDedup(), make(chain))
    assert 2 <= len(kept) < 8
    shown = {d.document: d.detail for d in decisions}
    assert all(abs(int(a[1:]) - int(b[1:])) <= 2 for a, b in shown.items())


def test_code_is_not_compared_unless_asked_for(apply, make, near):
    same = make([near(300, 0)[0]] * 3, kind="code")
    assert len(apply(MinHashDedup(), same)[0]) == 3
    assert len(apply(MinHashDedup(kinds=("code",)), same, n_parts=2)[0]) == 1


def test_empty_and_tiny_texts_are_no_duplicates_of_nothing(apply, make):
    kept, _, _ = apply(MinHashDedup(), make(["", "", "...", "one", "two", "one"]))
    assert names(kept) == ["d0", "d1", "d2", "d3", "d4"]


@pytest.mark.parametrize("field", ["threshold", "n_bands", "n_rows", "shingle_words"])
def test_a_setting_that_finds_nothing_is_refused(field):
    with pytest.raises(UserError, match=f"minhash.{field}"):
        MinHashDedup(**{field: 0})


LINES = st.lists(st.lists(st.sampled_from("abc"), max_size=5), min_size=1, max_size=30)


@pytest.mark.parametrize("bucket", [4, 1000])
@pytest.mark.parametrize(("n_parts", "memory_bytes"), [(1, 1 << 30), (5, 1 << 30), (5, 100)])
def test_lines_that_occur_too_often_in_a_bucket_go(apply, make, bucket, n_parts, memory_bytes):
    texts = [f"only {'xyz'[n % 3] * (n + 1)}\nshare this\nrare {n // 4}" for n in range(20)]
    stage = LineDedup(max_occurrences=3, bucket_documents=bucket)
    kept, _, _ = apply(stage, make(texts), n_parts=n_parts, memory_bytes=memory_bytes)
    wanted = []
    for start in range(0, 20, bucket):
        stretch = texts[start : start + bucket]
        counts = Counter(line_key(line) for text in stretch for line in text.split("\n"))
        for text in stretch:
            left = [line for line in text.split("\n") if counts[line_key(line)] <= 3]
            wanted.append("\n".join(left) + "\n")
    assert [one.text for one in kept] == wanted


def line_key(line):
    return "".join("0" if c.isdigit() else c for c in line.lower() if c.isalnum())


def test_more_than_six_is_the_papers_rule(apply, make):
    six = make([f"text {'abcdef'[n] * 3}\nFollow us!" for n in range(6)])
    assert len([d for d in apply(LineDedup(), six)[1]]) == 0
    seven = make([f"text {'abcdefg'[n] * 3}\nFollow us!" for n in range(7)])
    kept, decisions, counts = apply(LineDedup(), seven)
    assert not any("Follow" in one.text for one in kept)
    assert (decisions[0].reason, decisions[0].detail) == ("frequent lines removed", "1 of 2 lines")
    assert counts["different lines that go"] == 1


def test_what_is_nothing_but_frequent_lines_goes(apply, make):
    kept, decisions, _ = apply(LineDedup(), make(["Log in\n\nSign up"] * 9))
    assert not kept
    assert {d.reason for d in decisions} == {"nothing but frequent lines"}


def test_paragraphs_keep_one_break_and_short_lines_can_be_spared(apply, make):
    texts = [f"{'abcdefghi'[n] * 4}\n\nHAMLET.\n\nmore {'abcdefghi'[n]}" for n in range(9)]
    assert apply(LineDedup(), make(texts))[0][0].text == "aaaa\n\nmore a\n"
    assert apply(LineDedup(min_chars=10), make(texts), n_parts=2)[0][0].text == texts[0]


def marks_taken_out(text):
    """The plain way: one mark after the other."""
    for mark in BEYOND_ASCII:
        text = text.replace(mark, "")
    return text


@given(st.text(st.sampled_from("aÉ1.\n‘’—、！\u00a0 ¢中😀\u2012"), max_size=60))
def test_marks_beyond_ascii_count_for_nothing(text):
    assert line_hashes(text).tolist() == line_hashes(marks_taken_out(text)).tolist()


@given(st.text(st.sampled_from("aB1 .-\n'"), max_size=60))
def test_lines_are_equal_as_ccnet_has_it(text):
    lines = text.split("\n")
    hashes = line_hashes(text).tolist()
    keys = [line_key(line) for line in lines]
    assert len(hashes) == len(lines)
    assert len(set(zip(keys, hashes, strict=True))) == len(set(keys)) == len(set(hashes))
    assert all((key == "") == (one == 0) for key, one in zip(keys, hashes, strict=True))
