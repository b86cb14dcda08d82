import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.sources.html_text import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One <b>bold</b>\n word.</p><p>Two.</p>", "One bold word.\n\nTwo."),
        ("<head><title>T</title></head><body>seen</body>", "seen"),
        ("a<script>if (a < b) x()</script>b<style>p{}</style>c", "abc"),
        ("fish &amp; chips &lt;now&gt; &eacute;&#233;", "fish & chips <now> \xe9\xe9"),
        ("<pre>def f():\n    return 1</pre>", "def f():\n    return 1"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("<head><title>never closed<body>seen", "seen"),
        ("</script></div>stray ends", "stray ends"),
        ("plain", "plain"),
        ("", ""),
        ("<!-- hidden -->seen<!doctype html>", "seen"),
    ],
)
def test_visible_text_comes_out(html, text):
    assert html_to_text(html) == text


@given(st.text(alphabet="<>/&;!-abpre script\"'=\n", max_size=80))
def test_broken_html_does_no_harm(html):
    assert isinstance(html_to_text(html), str)
