import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data.cleaning import strip_licence

BODY = "THE TEMPEST\n\n" + "Boatswain!\nHere, master: what cheer?\n" * 200 + "\nEpilogue."
LICENCE = "You may copy it, give it away or re-use it.\n" * 50
NEW = (
    "The Project Gutenberg eBook of The Tempest\n\n" + LICENCE + "\n"
    "*** START OF THE PROJECT GUTENBERG EBOOK THE TEMPEST ***\n\n\n"
    "Produced by Jane Doe and the Online\nDistributed Proofreading Team\n\n\n"
    + BODY
    + "\n\n*** END OF THE PROJECT GUTENBERG EBOOK THE TEMPEST ***\n\n"
    + LICENCE
)
MIDDLE = (
    "Project Gutenberg's The Tempest, by William Shakespeare\n\n" + LICENCE + "\n"
    "*** START OF THIS PROJECT GUTENBERG EBOOK THE TEMPEST ***\n\n"
    + BODY
    + "\n\n\n\nEnd of the Project Gutenberg EBook of The Tempest, by William Shakespeare\n\n"
    "*** END OF THIS PROJECT GUTENBERG EBOOK THE TEMPEST ***\n" + LICENCE
)
OLD = (
    "***The Project Gutenberg Etext of The Tempest***\n\n"
    "**Welcome To The World of Free Plain Vanilla Electronic Texts**\n\n"
    "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\n" + LICENCE + "\n"
    "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n\n"
    + BODY
    + "\n\nEnd of The Project Gutenberg Etext of The Tempest\n"
)
OLDEST = (
    "The Complete Works\n" + LICENCE + "\n"
    "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.07.02.92*END*\n\n"
    + BODY
    + "\nEnd of this Etext of The Tempest\nEnd of Project Gutenberg's Etext of The Tempest\n"
)


@pytest.mark.parametrize("text", [NEW, MIDDLE, OLD], ids=["new", "middle", "old"])
def test_header_and_footer_go_and_the_book_stays_to_the_letter(text):
    stripped, found = strip_licence(text)
    assert stripped == BODY + "\n"
    assert "footer" in found


def test_the_oldest_form_loses_its_small_print():
    stripped, found = strip_licence(OLDEST)
    assert stripped.startswith("THE TEMPEST")
    assert "give it away" not in stripped
    assert "small print" in found


def test_notices_between_the_acts_go():
    notice = (
        "<<THIS ELECTRONIC VERSION OF THE COMPLETE WORKS OF WILLIAM\nSHAKESPEARE IS COPYRIGHT "
        "1990-1993 BY WORLD LIBRARY, INC., AND IS\nPROVIDED BY PROJECT GUTENBERG>>"
    )
    stripped, found = strip_licence(f"ACT I\n\n{notice}\n\nACT II\n")
    assert (stripped, found) == ("ACT I\n\n\n\nACT II\n", ("World Library notice",))


@pytest.mark.parametrize(
    "text",
    [
        BODY,
        "I read it in Project Gutenberg, whose texts are free.\nThe end of the Project.\n",
        "He wrote: *** START *** and *** END ***\n",
        "",
    ],
)
def test_a_text_that_only_mentions_gutenberg_is_left_as_it_is(text):
    assert strip_licence(text) == (text, ())


@pytest.mark.parametrize("text", [NEW, MIDDLE, OLD, OLDEST])
def test_stripping_twice_changes_nothing_more(text):
    once = strip_licence(text)[0]
    assert strip_licence(once)[0] == once


@given(st.text(alphabet="*END START THE SMALL PRINT!\nProject Gutenberg of", max_size=400))
def test_any_text_is_handled(text):
    assert len(strip_licence(text)[0]) <= len(text) + 1
