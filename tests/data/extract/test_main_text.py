"""The text of a page: what is kept, what goes, and pages made to break things."""

import sys

import pytest

from herd.data.extract.main_text import main_text
from herd.data.extract.nesting import nesting_depth
from herd.foundation import UserError

PROSE = (
    "The river rises in the hills and runs for forty miles to the sea, past mills that have stood "
    "there for two hundred years, and under bridges that are older still."
)
PAGE = """<html><head><title>On rivers | Example</title></head><body>
<nav><a href="/">Home</a> <a href="/about">About us</a></nav>
<div class="cookie">We use cookies</div>
<article><h1>On rivers</h1><p>{first}</p>{inside}<p>{second}</p></article>
<aside class="related"><a href="/x">Ten bridges you must see</a></aside>
<footer>Copyright 2023 Example. All rights reserved.</footer></body></html>"""


def page(inside=""):
    return PAGE.format(first=PROSE, inside=inside, second=PROSE.replace("river", "stream"))


def test_the_article_stays_and_the_site_around_it_goes():
    found = main_text(page())
    assert PROSE in found.text
    assert PROSE.replace("river", "stream") in found.text
    for gone in ("Home", "cookies", "Ten bridges", "Copyright", "On rivers"):
        assert gone not in found.text
    assert found.title == "On rivers | Example"


MATHEMATICS = {
    "MathML with TeX": "<math><semantics><mrow><mi>x</mi></mrow><annotation encoding='application/x-tex'>\\frac{a}{b}</annotation></semantics></math>",
    "MathML with alttext": "<math alttext='\\frac{a}{b}'><mfrac><mi>a</mi><mi>b</mi></mfrac></math>",
    "MathJax source": "<span class='MathJax'>drawn</span><script type='math/tex'>\\frac{a}{b}</script>",
    "KaTeX": "<span class='katex'><span class='katex-mathml'><math><semantics><mi>a</mi><annotation encoding='application/x-tex'>\\frac{a}{b}</annotation></semantics></math></span><span class='katex-html'>drawn</span></span>",
    "a picture": "<img src='f.png' alt='\\frac{a}{b}'>",
    "a picture of Wikipedia's": "<img class='mwe-math-fallback-image-inline' alt='{\\displaystyle \\frac{a}{b}}'>",
}


@pytest.mark.parametrize("form", MATHEMATICS)
def test_a_formula_is_kept_once_as_tex(form):
    inside = f"<p>We know that {MATHEMATICS[form]} holds whenever the water is high, as all who live here will say.</p>"
    found = main_text(page(inside))
    assert found.text.count("\\frac{a}{b}") == 1
    assert "drawn" not in found.text
    assert found.n_formulas == 1
    assert "We know that $" in found.text and "$ holds whenever" in found.text


def test_mathml_without_source_is_kept_as_its_symbols():
    inside = "<p>Here <math><mi>E</mi><mo>=</mo><mi>m</mi></math> is what we mean, and nothing else is meant by it.</p>"
    assert "$E = m$" in main_text(page(inside)).text


CODE = "def flow(height):\n    if height > 3:\n        return 'flood'\n\n    return 'calm'"


@pytest.mark.parametrize(
    "markup",
    [
        "<pre><code class='language-python'>{}</code></pre>",
        "<div class='highlight'><pre class='highlight'>{}</pre></div>",
        "<pre>{}</pre>",
    ],
)
def test_code_keeps_its_lines_and_indentation(markup):
    found = main_text(page(markup.format(CODE.replace(">", "&gt;"))))
    assert CODE in found.text
    assert found.n_code_blocks == 1


def test_line_numbers_beside_code_go():
    lines = "".join(
        f"<span class='lineno'>{n}</span>{line}\n" for n, line in enumerate(CODE.split("\n"), 101)
    )
    found = main_text(page(f"<pre><code>{lines.replace('> 3', '&gt; 3')}</code></pre>"))
    assert CODE in found.text and "101" not in found.text


def test_a_letter_set_in_pre_is_no_code():
    letter = "Dear Sir,\nI have seen the river and it was very fine indeed.\nYours truly"
    assert main_text(page(f"<pre>{letter}</pre>")).n_code_blocks == 0


def test_cells_of_a_table_are_kept_apart():
    rows = "".join(f"<tr><td>mill {n}</td><td>{n * 7} feet</td></tr>" for n in range(1, 5))
    text = main_text(page(f"<table>{rows}</table>")).text
    assert all(f"mill {n} | {n * 7} feet" in text for n in range(1, 5))
    assert "---" not in text


@pytest.mark.parametrize(
    "line",
    ["Published Monday, 18 November 2019", "Share this article", "By Jane Doe", "On rivers"],
)
def test_lines_around_the_article_go_and_the_same_words_within_it_stay(line):
    assert (
        line
        not in main_text(
            page().replace("<h1>On rivers</h1>", f"<h1>On rivers</h1><p>{line}</p>")
        ).text
    )
    sentence = (
        f"They said: {line} is what they wrote, and so it was done by all of them in the end."
    )
    assert sentence in main_text(page(f"<p>{sentence}</p>")).text


BOMBS = {
    "nested 100,000 deep": "<div>" * 100_000 + PROSE,
    "nested and closed": "<b>" * 100_000 + PROSE + "</b>" * 100_000,
    "never closed": "<p>" * 300_000 + PROSE,
    "a tag of a million attributes": "<p " + "a=1 " * 250_000 + ">" + PROSE,
    "nothing but brackets": "<" * 200_000,
    "comments that do not end": "<!--" * 100_000,
    "a table without end": "<table>" + "<tr><td>x" * 60_000,
    "NUL bytes": "<p>\0" + PROSE + "\0</p>",
    "entities": "&" * 500_000,
    "empty": "",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_page_made_to_break_things_is_read_in_bounded_time(bomb):
    assert isinstance(main_text(BOMBS[bomb]).text, str)


@pytest.mark.parametrize(
    ("html", "depth"),
    [
        ("", 0),
        ("<div><p>a<p>b</div>", 1),
        ("<div><span></span><b><i>", 3),
        ("</div></div><div>", 1),
    ],
)
def test_depth_is_of_elements_open_at_once(html, depth):
    assert nesting_depth(html) == depth


def test_a_fragment_without_html_and_body_is_read_whole():
    assert main_text(f"<p>{PROSE}</p>").text == PROSE


def test_a_missing_library_is_said_and_no_page_taken_for_empty(monkeypatch):
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(UserError, match="extraction needs trafilatura"):
        main_text(page())
