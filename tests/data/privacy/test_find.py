"""Private data is found, what looks like it is not, and no text takes long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.data import DirtyWordFilter, Document, DomainFilter, PiiRedactor, find_pii
from herd.data.privacy import checksums, redacted
from herd.data.privacy.domain_stage import host_of, is_listed
from herd.foundation import UserError

FOUND = {
    "email": ["jane.doe+news@mail.co.uk", "x_y@sub.domain.de", "joe (at) mail (dot) org",
              "joe [at] mail.org", "joe[at]cs[dot]mail[dot]org", "joe AT mail DOT co DOT uk", "joe at cs dot mail dot edu"],
    "phone": ["+44 20 7946 0958", "(212) 555-0187", "+49 (0)30 901820", "tel: 030 1234567", "Tel. 084-694-7429", "fax 084-694-7429", "06 12 34 56 78"],
    "card": ["4111 1111 1111 1111", "5500005555555559", "3782-822463-10005", "3569 9900 1009 5841"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "FR14 2004 1010 0505 0001 3M02 606",
             "KZ86 125K ZT50 0410 0100", "GE29 NB00 0000 0101 9049 17", "VG96 VPVG 0000 0123 4567 8901"],
    "ssn": ["078-05-1120", "SSN 219 09 9999"],
    "national_id": ["12345678Z", "12.345.678-Z", "X1234567L", "X-1234567-L", "RSSMRA85T10A562S", "111.444.777-35", "AB 12 34 56 C",
                    "2 55 08 14 168 025 38", "Aadhaar 2341 2341 2346", "Steuer-ID 86 095 742 719"],
    "ipv4": ["8.8.8.8", "93.184.216.34"],
    "ipv6": ["2a00:1450:4009:81f::200e", "fe80::1ff:fe23:4567:890a"],
    "mac": ["00:1B:44:11:3A:B7", "00-1b-44-11-3a-b7", "001b.4411.3ab7"],
    "secret": ["AKIAIOSFODNN7EXAMPLE", "ghp_" + "a1B2" * 9, "xoxb-123456789012-abcdef", "AIza" + "a" * 35,
               "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
               "eyJ" + "a" * 150 + ".eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
               "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1234\n-----END RSA PRIVATE KEY-----"],
    "credentials": ["https://user:s3cret@host.org/x", "password: hunter2x", 'api_key = "abc123def456"', "DB_PASSWORD=hunter2x",
                    "redis://:s3cret@host.org/0", "aws_secret_access_key = wJalrXUtnFEMI7K7MDENG", "le mot de passe est hunter2x"],
    "wallet": ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "0x52908400098527886E0F7030069857D2E4169EE7"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in FOUND.items() for t in texts])
@pytest.mark.parametrize("frame", ["{}", "You can reach it by {}, as I said.", "naïve “{}”\nmore"])
def test_private_data_is_found_in_any_sentence(kind, text, frame):
    assert kind in {span.kind for span in find_pii(frame.format(text))}


INNOCENT = [
    "version 1.2.3.4 of it", "at 127.0.0.1 here", "ISBN 978-3-16-148410-0", "on 2023-05-17 at 10:15:30",
    "from 1984-1990", "the @property decorator", "me@example.com", "order no. 4111111111111112",
    "pi is 3.14159265358979", "commit 3f2a9c1d8e7b6a5f4e3d2c1b0a9f8e7d6c5b4a39", "a ratio of 16:9:4",
    "DE89 3704 0044 0532 0130 01", "000-12-3456", "12345678A", "1,234,567,890", "x = 0x1F", "10.1000/182",
    "Part number 893-5649-23", "The test number 4270 4088 2407 4105", "by telephone. He reigned 1690-1695",
    "Chrome/120.0.0.0 Safari/537.36", "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divfab", "doi:10.4102/s43418-072-9285-3",
    "chapter 12, verse 345", "1914 1918 1939 1945", "the password is required", "std::vector<int>::iterator",
]  # fmt: skip


@pytest.mark.parametrize("text", INNOCENT)
def test_what_looks_like_it_is_left_alone(text):
    assert find_pii(f"It says {text} in the book.") == []


HINTS = [
    "@",
    "1",
    "a.",
    "1-",
    "1 ",
    "a@",
    ":",
    "ab:",
    "://a:",
    "(at)",
    "password: ",
    "AKIA",
    "sk-",
    "eyJ",
    "+1(",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIB",
]


@pytest.mark.parametrize("hint", HINTS)
def test_a_text_of_nothing_but_hints_takes_linear_time(hint):
    find_pii(hint * (600_000 // len(hint)))


@given(st.text(st.sampled_from("12 .-+@:/abAB"), max_size=200))
def test_spans_lie_in_order_and_do_not_overlap(text):
    spans = find_pii(text)
    assert all(a.end <= b.begin for a, b in zip(spans, spans[1:], strict=False))
    assert all(0 <= span.begin < span.end <= len(text) for span in spans)


def test_a_mark_stands_where_it_was():
    text = "Mail a.b@mail.org or c.d@mail.org now"
    assert redacted(text, find_pii(text)) == "Mail <EMAIL> or <EMAIL> now"


def run(stage, *texts, url=""):
    documents = [
        Document(text=text, source="s", name=f"d{i}", meta={"url": url} if url else {})
        for i, text in enumerate(texts)
    ]
    return stage.open()(documents)


WORDS = "some words of a longer text that goes on " * 10


def test_marks_are_counted_and_a_list_of_people_goes():
    people = "\n".join(f"person{n}@mail.org" for n in range(20))
    outcome = run(PiiRedactor(), WORDS + "a@b.org", people, WORDS)
    assert [one.name for one in outcome.documents] == ["d0", "d2"]
    assert outcome.documents[0].text == WORDS + "<EMAIL>"
    assert [(d.action, d.reason) for d in outcome.decisions] == [
        ("changed", "private data marked"),
        ("dropped", "mostly private data"),
    ]
    assert outcome.counts == {"email": 21}
    assert not any("mail.org" in d.detail for d in outcome.decisions)


def test_only_the_kinds_asked_for_are_marked():
    text = WORDS + "a@b.org and 8.8.8.8"
    assert run(PiiRedactor(kinds=("ipv4",)), text).documents[0].text == WORDS + "a@b.org and <IPV4>"
    assert run(PiiRedactor(action="count"), text).documents[0].text == text
    with pytest.raises(UserError, match="no kind 'shoe size'"):
        PiiRedactor(kinds=("shoe size",))


@given(st.integers(0, 10**15 - 1))
def test_one_check_digit_fits_of_ten(number):
    fitting = [digit for digit in range(10) if checksums.is_luhn(f"{number}{digit}")]
    assert len(fitting) == 1


@given(st.integers(0, 10**18 - 1))
def test_two_digits_that_change_places_are_seen_by_iban(number):
    account = f"{number:018d}"
    check = 98 - int(account + "131400") % 97
    iban = f"DE{check:02d}{account}"
    assert checksums.is_iban(iban)
    swapped = iban[:6] + iban[7] + iban[6] + iban[8:]
    assert swapped == iban or not checksums.is_iban(swapped)


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "adult.txt"
    path.write_text("# a list\nbad.org\nmünchen.example # umlaut\n\n*.worse.net\n")
    return DomainFilter(list_paths=(str(path),))


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("https://bad.org/x", False),
        ("http://www.BAD.org:80/", False),
        ("https://xn--mnchen-3ya.example/", False),
        ("https://a.worse.net", False),
        ("https://notbad.org", True),
        ("https://bad.org.uk", True),
        ("", True),
        ("http://[broken", True),
    ],
)
def test_listed_domains_and_those_below_them_go(listed, url, stays):
    outcome = run(listed, "text", url=url)
    assert bool(outcome.documents) == stays
    assert stays or outcome.decisions[0].reason == "domain on the list 'adult'"


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.txt"):
        DomainFilter(list_paths=(str(tmp_path / "nowhere.txt"),)).open()


def test_hosts_are_compared_from_the_right():
    assert is_listed("a.b.c", frozenset({"b.c"})) and not is_listed("ab.c", frozenset({"b.c"}))
    assert host_of("//x.org/a") == "x.org"


def test_dirty_words_are_counted_as_words_and_phrases(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("darn\nbloody hell\n")
    stage = DirtyWordFilter(list_path=str(path), min_words=3)
    outcome = run(
        stage, "Darn, darn and bloody hell!", "darning is no darn thing", "hell bloody hell"
    )
    assert [one.name for one in outcome.documents] == ["d1", "d2"]
    assert outcome.decisions[0].detail == "3 of 5 words"
    with pytest.raises(UserError, match="list_path is empty"):
        DirtyWordFilter()
