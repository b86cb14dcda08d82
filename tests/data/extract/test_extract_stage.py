"""Pages, Markdown and broken characters, as a stage."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data import Document, ExtractStage
from herd.data.extract.markdown import without_markdown
from herd.data.extract.repair import SUSPECT, has_suspects, repaired


def run(text, kind="prose", name="a.txt"):
    return ExtractStage().open()([Document(text=text, source="s", name=name, kind=kind)])


def test_a_page_becomes_prose_with_its_title():
    body = "<p>" + "A sentence of some length that says something about rivers. " * 8 + "</p>"
    outcome = run(f"<title>Rivers</title><body><article>{body}</article>", kind="page")
    (document,) = outcome.documents
    assert (document.kind, document.meta["title"]) == ("prose", "Rivers")
    assert outcome.decisions[0].reason == "page: article"


def test_a_page_without_text_is_dropped_and_named():
    outcome = run("<html><body><script>let x = 1</script></body></html>", kind="page")
    assert not outcome.documents
    assert outcome.decisions[0].reason == "no main text"


@pytest.mark.parametrize("kind", ["prose", "code"])
def test_clean_text_passes_untouched(kind):
    text = "Plain words — “quoted”, naïve.\n\tindented\n"
    outcome = run(text, kind)
    assert outcome.documents[0].text == text
    assert outcome.decisions == []


def test_markdown_is_told_by_its_ending():
    assert run("# A *b*", name="a.md").documents[0].text == "A b"
    assert run("# A *b*", name="a.txt").documents[0].text == "# A *b*"
    assert run("# A *b*", name="a.md", kind="code").documents[0].text == "# A *b*"


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("# Title #", "Title"),
        ("Title\n=====\ntext", "Title\ntext"),
        ("a **bold** and *slanted* __word__", "a bold and slanted word"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("[text](http://a.b/c_d)", "text"),
        ("![words](x.png) after", "words after"),
        ("<https://a.org/x>", "https://a.org/x"),
        ("> quoted", "quoted"),
        ("use `a_b*c*d` so", "use a_b*c*d so"),
        ("```py\nx = a*b*c\n# not a title\n```\nend", "x = a*b*c\n# not a title\nend"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a\tb\n1\t2"),
        ("[1]: http://a.b\ntext", "text"),
        (r"\*not\*", "*not*"),
        ("    code * is * kept", "    code * is * kept"),
        ("~~old~~ new", "old new"),
    ],
)
def test_marks_go_and_text_stays(markdown, plain):
    assert without_markdown(markdown) == plain


@given(st.text(st.sampled_from("ab #*_`[]()>|~-\n\\!<"), max_size=120))
def test_no_letter_is_lost_but_addresses(text):
    if (
        "](" not in text
        and "][" not in text
        and "]:" not in text
        and "`" not in text
        and "~" not in text
    ):
        letters = [c for c in text if c in "ab"]
        assert [c for c in without_markdown(text) if c in "ab"] == letters


@pytest.mark.parametrize("mark", ["*", "_", "[", "`", "![a](", "**a", "~~", "<!--", ">"])
def test_marks_without_end_take_linear_time(mark):
    without_markdown(mark * 200_000)


@pytest.mark.parametrize(
    ("broken", "mended", "what"),
    [
        ("cafÃ© â€œquotedâ€\x9d", "café “quoted”", "mojibake"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd", "line ends"),
        ("a\0b\u200bc\u202ed\x07", "abcd", "invisible characters"),
        ("a\u00a0b", "a b", "no-break spaces"),
        ("cafe\u0301", "café", "letters composed"),
    ],
)
def test_broken_characters_are_mended_and_named(broken, mended, what):
    text, found = repaired(broken)
    assert text == mended
    assert what in found


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_mended_text_is_composed_and_mending_again_changes_nothing(text):
    once, _ = repaired(text)
    assert unicodedata.is_normalized("NFC", once)
    assert "\r" not in once and "\0" not in once
    assert repaired(once)[0] == once


@given(st.text(st.sampled_from("aÂ\x9f\u00a0é’\u2028\ufeff\ue000😀\ud800\udc00"), max_size=6))
def test_the_table_knows_what_the_pattern_knows(text):
    assert has_suspects(text) == bool(SUSPECT.search(text))
