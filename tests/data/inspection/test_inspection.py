"""A corpus for people: what is shown, and hostile or damaged files."""

import io
import json
import os

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from herd.data import (
    CurationRecipe,
    ExactDedup,
    MinCharsStage,
    MixStage,
    SourceConfig,
    closing_words,
    corpus_summary,
    curate,
    read_corpus,
    show_corpus,
    why,
    write_corpus_page,
)
from herd.data.inspection.excerpt import changes, common_changes, excerpt
from herd.foundation import UserError

HOSTILE = "<script>alert(1)</script> \u202egnirts\u202c mail a.b@mail.org \x07"


@pytest.fixture
def corpus(tmp_path):
    rows = [HOSTILE, "short", HOSTILE, "a text that stays for ever and ever"]
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"text": t}) + "\n" for t in rows) + "{"
    )
    recipe = CurationRecipe(
        name="<b>mine</b>",
        sources=(SourceConfig(location=str(tmp_path / "rows.jsonl")),),
        stages=(MinCharsStage(min_chars=10), ExactDedup()),
    )
    curate(recipe, tmp_path / "out")
    return tmp_path / "out"


def test_the_page_shows_reasons_and_samples_and_no_markup_of_strangers(corpus, tmp_path):
    write_corpus_page(corpus, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    for shown in ("min_chars", "too short", "same text", "malformed row", "rows.jsonl:2"):
        assert shown in page
    for never in (
        "<script>alert",
        "<b>mine</b>",
        "\u202e",
        "\x07",
        "a.b@mail.org",
        "http://",
        "src=",
    ):
        assert never not in page.replace('xmlns="http://', "").replace(
            'xmlns:xlink="http://', ""
        ).replace('"http://www.w3.org', "").replace("http://purl.org", "").replace(
            "http://creativecommons.org", ""
        ), never
    assert "&lt;script&gt;" in page


def test_the_page_is_the_same_every_time(corpus, tmp_path):
    for name in ("one", "two"):
        write_corpus_page(corpus, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("width", [60, 120])
def test_the_terminal_shows_the_funnel(corpus, width):
    out = io.StringIO()
    show_corpus(corpus, Console(file=out, width=width))
    assert "too short" in out.getvalue() and "exact" in out.getvalue()


def test_the_fate_of_a_document_is_told(corpus):
    assert why(corpus, "rows.jsonl:4").kept.text.startswith("a text")
    ((stage, decision),) = why(corpus, "rows.jsonl:3").decisions
    assert (stage, decision.reason, decision.detail) == ("exact", "same text", "rows.jsonl:1")
    with pytest.raises(UserError, match="no document 'rows.jsonl:9'.*near it"):
        why(corpus, "rows.jsonl:9")


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", '{"format": "herd-corpus-1"}', "not json", '{"format": "other"}'],
)
def test_a_damaged_manifest_is_one_line(corpus, damage):
    (corpus / "manifest.json").write_text(damage)
    with pytest.raises(UserError, match=r"manifest\.json"):
        corpus_summary(corpus)


@pytest.mark.parametrize("field", ["funnel", "distributions", "parts"])
def test_a_manifest_of_wrong_types_is_one_line(corpus, tmp_path, field):
    manifest = json.loads((corpus / "manifest.json").read_text())
    (corpus / "manifest.json").write_text(json.dumps({**manifest, field: [7]}))
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        write_corpus_page(corpus, tmp_path / "page.html")


DEEP = "[" * 100_000


def refusals(corpus):
    """What each way to look at a corpus says of damage, of those that see it."""
    looks = (
        lambda: show_corpus(corpus, Console(file=io.StringIO())),
        lambda: write_corpus_page(corpus, corpus.parent / "page.html"),
        lambda: closing_words(corpus),
        lambda: why(corpus, "rows.jsonl:1"),
        lambda: list(read_corpus(corpus)),
    )
    said = []
    for look in looks:
        try:
            look()
        except UserError as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("manifest.json", DEEP),
        ("samples.json", DEEP),
        ("timings.json", DEEP),
        ("timings.json", '{"0-read": {"seconds": {}}}'),
        ("rulings/1-exact/exact/clusters.jsonl", DEEP),
        ("rulings/1-exact/exact/clusters.jsonl", '{"kept": "a", "n_dropped": {}, "dropped": []}'),
        ("phases/0-read/complete.json", '{"parts": 7}'),
        ("phases/0-read/part-00000-00000.decisions.parquet", "PAR1 and no more"),
        ("phases/1-exact/part-00000-00000.parquet", "PAR1 and no more"),
    ],
)
def test_whatever_file_is_damaged_nobody_sees_a_trace(corpus, file, content):
    (corpus / file).write_text(content)
    said = refusals(corpus)
    assert said and all(str(corpus) in one for one in said)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("documents_path", 7),
        ("read", {"counts": [], "names": 3}),
        ("recipe", {"sources": 3, "stages": [{"stage": 3}]}),
        ("rulings", {"exact": {"clusters": "many"}}),
        ("shards", {"train": {"n_tokens": "x"}}),
        ("parts", [{"part": "00000-00000", "sha256": "", "bytes": "x", "documents": {}}]),
    ],
)
def test_whatever_the_manifest_says_nobody_sees_a_trace(corpus, field, value):
    manifest = json.loads((corpus / "manifest.json").read_text())
    (corpus / "manifest.json").write_text(json.dumps({**manifest, field: value}))
    said = refusals(corpus)
    assert said and all("is damaged" in one for one in said)


def test_a_log_of_decisions_that_is_missing_is_not_taken_for_a_document_never_read(corpus):
    (corpus / "phases/1-exact/part-00000-00000.decisions.parquet").unlink()
    with pytest.raises(UserError, match=r"decisions\.parquet is damaged"):
        why(corpus, "rows.jsonl:3")


@pytest.mark.parametrize("column", [{"meta": "[1]"}, {"text": None}, {"kind": "song"}])
def test_a_part_that_holds_no_documents_is_named(corpus, column):
    part = corpus / "phases/1-exact/part-00000-00000.parquet"
    table = pyarrow.parquet.read_table(part)
    for name, value in column.items():
        values = pyarrow.array([value] * table.num_rows, pyarrow.string())
        table = table.set_column(table.column_names.index(name), name, values)
    pyarrow.parquet.write_table(table, part)
    with pytest.raises(UserError, match=r"part-00000-00000\.parquet is damaged"):
        list(read_corpus(corpus))


def test_the_terminal_names_what_could_not_be_read(corpus):
    out = io.StringIO()
    show_corpus(corpus, Console(file=out, width=120))
    assert "malformed row" in out.getvalue() and "rows.jsonl:5" in out.getvalue()


def test_samples_that_are_none_are_left_out(corpus, tmp_path):
    (corpus / "samples.json").write_text('[7, {"stage": 1}, {"stage": "x"}]')
    write_corpus_page(corpus, tmp_path / "page.html")


WORDS = st.text(st.sampled_from("ab \n"), max_size=40)


@given(WORDS, WORDS)
def test_pieces_of_a_change_make_both_texts(before, after):
    pieces = changes(before, after)
    assert "".join(text for kind, text in pieces if kind != "new") == before
    assert "".join(text for kind, text in pieces if kind != "gone") == after


def test_what_only_one_of_two_cut_excerpts_reaches_is_no_change():
    whole = "".join(f"word{n} " for n in range(300))
    before, after = whole[:600], whole.replace("word3 ", "")[:600]
    pieces = common_changes(before, after)
    assert [(kind, text.strip()) for kind, text in pieces if kind != "same"] == [("gone", "word3")]
    assert common_changes("a b", "a") == changes("a b", "a")


def test_an_excerpt_is_short_and_hides_nothing():
    assert excerpt("x" * 10_000, 10) == "x" * 10 + "…"
    assert excerpt("a\u202eb\0c") == "a\ufffdb\ufffdc"


@pytest.fixture
def mixed(tmp_path):
    (tmp_path / "rows.jsonl").write_text(
        "".join(
            json.dumps({"text": f"text {n}", "topic": "[b]a" if n else "<i>"}) + "\n"
            for n in range(4)
        )
    )
    recipe = CurationRecipe(
        name="mixed",
        sources=(SourceConfig(location=str(tmp_path / "rows.jsonl"), meta_fields=("topic",)),),
        stages=(MixStage(by="topic", weights=(("<i>", 1.0), ("*", 1.0))),),
    )
    curate(recipe, tmp_path / "out")
    return tmp_path / "out"


def test_the_mix_is_shown_with_its_epochs(mixed, tmp_path):
    out = io.StringIO()
    show_corpus(mixed, Console(file=out, width=120))
    assert "group: [b]a" in out.getvalue() and "2.00" in out.getvalue()
    write_corpus_page(mixed, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "The mix" in page and "&lt;i&gt;" in page and "<i>" not in page


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        DEEP,
        '{"by_group": 1}',
        '{"by_group": {"a": {}}}',
        '{"by_group": {"a": {"bytes": 1e999, "bytes_drawn": 1, "share": 1, "epochs": 1}}}',
    ],
)
def test_a_damaged_mix_is_one_line(mixed, tmp_path, content):
    (mixed / "rulings/1-mix/mix/mix.json").write_text(content)
    with pytest.raises(UserError, match="damaged|not valid JSON"):
        write_corpus_page(mixed, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("name", ["manifest.json", "recipe.json", "new.html"])
def test_a_page_takes_the_place_of_nothing_in_the_corpus(corpus, name):
    before = {path: path.read_bytes() for path in corpus.iterdir() if path.is_file()}
    with pytest.raises(UserError, match="inside the corpus"):
        write_corpus_page(corpus, corpus / name)
    assert {path: path.read_bytes() for path in corpus.iterdir() if path.is_file()} == before
    write_corpus_page(corpus, corpus / "report.html")


def test_a_page_is_not_written_over_what_is_no_file(corpus, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UserError, match="is no file"):
            write_corpus_page(corpus, place)
