"""Languages, by sentences of a few."""

import pytest

from herd.data import Document, LanguageStage, identify
from herd.foundation import UserError

SENTENCES = {
    "en": "All human beings are born free and equal in dignity and rights.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_told_by_its_language(language):
    found, score = identify(SENTENCES[language])
    assert found == language and score > 0.5


def run(stage, *documents):
    return stage.open()(documents)


def document(text, **fields):
    return Document(text=text, source="s", name=text[:5], **fields)


def test_documents_are_labelled_and_others_dropped():
    outcome = run(LanguageStage(keep=("en", "de")), *map(document, SENTENCES.values()))
    assert [one.language for one in outcome.documents] == ["en", "de"]
    assert float(outcome.documents[0].meta["language_score"]) > 0.5
    assert {d.reason for d in outcome.decisions} == {"another language"}
    assert outcome.counts["fr"] == 1


def test_the_sources_label_stays_and_code_is_not_judged():
    labelled = document(SENTENCES["fr"], language="en")
    code = document("def f(x): return x", kind="code")
    outcome = run(LanguageStage(keep=("en",)), labelled, code)
    assert outcome.documents == [labelled, code]
    assert not run(LanguageStage(keep=("en",), relabel=True), labelled).documents


def test_a_long_text_is_judged_by_its_whole_length():
    mixed = SENTENCES["en"] * 20 + SENTENCES["de"] * 200 + SENTENCES["de"] * 20
    assert identify(mixed)[0] == "de"


@pytest.mark.parametrize("text", ["", " \n", "\0", "12345", "\ud800", "a" * 1_000_000])
def test_any_text_has_some_answer(text):
    language, score = identify(text)
    assert isinstance(language, str) and 0 <= score <= 1


def test_an_uncertain_text_can_be_dropped():
    outcome = run(LanguageStage(min_score=0.99), document("ok 12 xyz"))
    assert outcome.decisions[0].reason == "language uncertain"
    with pytest.raises(UserError, match="min_score"):
        LanguageStage(min_score=2)
