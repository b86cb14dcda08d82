"""Alternative text of pictures: what says something stays, once, where the picture was."""

import pytest

from herd.data import main_text
from herd.data.extract.pictures import says_something

PROSE = "The mill by the river was built by the father of the present owner. " * 6


def text_of(inner, **settings):
    page = f"<html><body><article><p>{PROSE}</p>{inner}<p>{PROSE}</p></article></body></html>"
    return main_text(page, **settings)


@pytest.mark.parametrize(
    "inner",
    [
        f'<p>Before <img src="a.jpg" alt="A wheel of oak"> after it all. {PROSE}</p>',
        '<figure><img src="a.jpg" alt="A wheel of oak"></figure>',
        '<figure><a href="b"><picture><img src="a.jpg" alt="A wheel of  oak"></picture></a></figure>',
    ],
)
def test_a_picture_of_the_text_becomes_its_words(inner):
    found = text_of(inner)
    assert found.text.count("A wheel of oak") == 1 and found.n_pictures == 1
    assert "A wheel" not in text_of(inner, pictures=False).text


def test_the_words_stand_where_the_picture_stood():
    text = text_of(f'<p>Before <img alt="a wheel of oak"> after. {PROSE}</p>').text
    assert "Before a wheel of oak after." in " ".join(text.split())


@pytest.mark.parametrize(
    "inner",
    [
        '<ul><li><img alt="Ten things you must see"></li></ul>',
        '<figure><img alt="A wheel of oak"><figcaption>The wheel, of oak, today</figcaption></figure>',
        "<p><img></p>",
    ],
)
def test_teasers_captioned_and_silent_pictures_add_nothing(inner):
    assert text_of(inner).n_pictures == 0


def test_the_same_words_come_once():
    inner = f'<p><img alt="A wheel of oak"> one {PROSE}</p>' * 2
    assert text_of(inner).text.count("A wheel of oak") == 1


@pytest.mark.parametrize(
    ("alt", "says"),
    [
        ("A wheel of oak", True),
        ("oak wheel", False),
        ("Valley news site logo", False),
        ("IMG 20 07.jpg and more", False),
        ("word " * 200, False),
        ("", False),
    ],
)
def test_names_of_furniture_say_nothing(alt, says):
    assert says_something(alt) == says
