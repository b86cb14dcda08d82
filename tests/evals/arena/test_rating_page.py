"""The rating page: blind, self-contained, deaf to what answers would run; its ratings come back checked."""

import json
import re
from html.parser import HTMLParser

import pytest

from herd.evals.arena import Rating, file_side, import_ratings, open_arena, write_rating_page
from herd.evals.arena.rating import latest_ratings
from herd.foundation import UserError

PAYLOADS = (
    "</script><img src=x onerror=\"document.title='XSS'\">",
    "<!-- <script>alert(1)</script>",
    "]]>\u2028'\"&amp;<svg/onload=alert(1)>\x1b[31m\x00",
)


class Tags(HTMLParser):
    """The tags of a page with their attributes, and the texts of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_endtag(self, tag) -> None:
        self._in_script = False

    def handle_data(self, data) -> None:
        if self._in_script:
            self.scripts.append(data)


@pytest.fixture
def arena(tmp_path, write):
    good = [
        {"id": f"</script>{i}", "prompt": payload, "answer": payload * 2}
        for i, payload in enumerate(PAYLOADS)
    ]
    bad = [{"id": f"</script>{i}", "answer": payload} for i, payload in enumerate(PAYLOADS)]
    paths = write("secret-one.jsonl", good), write("secret-two.jsonl", bad)
    return open_arena(tmp_path / "out", tuple(file_side(path.stem, path) for path in paths))


def ratings_file(tmp_path, arena, values, **changes):
    rows = [
        {"item": duel.item_id, "rating": value}
        for duel, value in zip(arena.duels, values, strict=False)
    ]
    stored = {
        "format": "herd-arena-ratings",
        "page": arena.page_id,
        "rater": "ann",
        "ratings": rows,
    }
    path = tmp_path / "ratings.json"
    path.write_text(json.dumps(stored | changes))
    return path


def test_nothing_of_an_answer_becomes_markup_or_script(arena) -> None:
    page = write_rating_page(arena).read_text()
    found = Tags(page)
    names = [tag for tag, _ in found.tags]
    assert names.count("script") == 2 and not {"img", "svg", "iframe", "object"} & set(names)
    assert not [key for _, attributes in found.tags for key in attributes if key.startswith("on")]
    data = json.loads(found.scripts[0])
    assert data["items"][0]["id"] == "</script>0"
    assert {data["items"][0]["left"], data["items"][0]["right"]} == {PAYLOADS[0], PAYLOADS[0] * 2}


def test_the_page_names_no_model_and_loads_nothing(arena) -> None:
    page = write_rating_page(arena).read_text()
    assert "secret" not in page
    tags = Tags(page).tags
    assert not [a for _, a in tags if {"src", "href"} & a.keys()]
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|@import|url\(|innerHTML", page)
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in tags


def test_sides_are_those_of_the_comparison(arena) -> None:
    data = json.loads(Tags(write_rating_page(arena).read_text()).scripts[0])
    lengths = [(len(one["left"]), len(one["right"])) for one in data["items"]]
    assert [left > right for left, right in lengths] == [one.left == 0 for one in arena.duels]


def test_ratings_come_back_by_side_and_twice_changes_nothing(arena, tmp_path) -> None:
    path = ratings_file(tmp_path, arena, [1, 7])
    assert import_ratings(arena, path, "default").sentence() == (
        "ratings of ann: 2 new, 0 changed, 0 known already"
    )
    again = import_ratings(arena, ratings_file(tmp_path, arena, [1, 6, 4]), "default")
    assert (again.n_new, again.n_changed, again.n_same) == (1, 1, 1)
    assert latest_ratings(arena.ratings()) == [
        Rating(duel.item_id, "ann", value)
        for duel, value in zip(arena.duels, [1, 6, 4], strict=True)
    ]


def test_without_a_name_in_the_file_the_caller_says_who_rated(arena, tmp_path) -> None:
    found = import_ratings(arena, ratings_file(tmp_path, arena, [3], rater=" "), "bob")
    assert found.rater == "bob" and arena.ratings()[0].rater == "bob"


def test_unknown_items_are_counted(arena, tmp_path) -> None:
    rows = [{"item": "nobody", "rating": 2}, {"item": arena.duels[0].item_id, "rating": 2}]
    found = import_ratings(arena, ratings_file(tmp_path, arena, [], ratings=rows), "bob")
    assert (found.n_new, found.n_unknown) == (1, 1)
    assert "1 of unknown items left out" in found.sentence()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"page": "other"}, "page of another comparison"),
        ({"format": "x"}, "holds no ratings"),
        ({"ratings": {}}, "ratings is no list"),
        ({"ratings": [3]}, "rating 1: names no item"),
        ({"ratings": [{"item": "a", "rating": 8}]}, "rating 1: 8 is not 1 to 7"),
        ({"ratings": [{"item": "a", "rating": True}]}, "True is not 1 to 7"),
        ({"ratings": [{"item": "a", "rating": 1}] * 2}, "'a' is rated twice"),
        ({"rater": "x" * 81}, "no name of at most 80"),
        ({"rater": 5}, "no name of at most 80"),
    ],
)
def test_a_file_that_is_not_this_pages_is_refused_and_changes_nothing(
    arena, tmp_path, changes, words
) -> None:
    with pytest.raises(UserError, match=words):
        import_ratings(arena, ratings_file(tmp_path, arena, [1], **changes), "bob")
    assert arena.ratings() == []
