import random

import pytest

from herd.data import Document

COMMON = [f"common{n}" for n in range(200)]
SIGNS = {"good": [f"clear{n}" for n in range(30)], "bad": [f"buy{n}" for n in range(30)]}


def make_text(dice, label, n_words=60, n_signs=6):
    words = dice.choices(COMMON, k=n_words) + dice.choices(SIGNS[label], k=n_signs)
    dice.shuffle(words)
    return " ".join(words)


@pytest.fixture(scope="session")
def texts():
    """Texts of two labels, told apart by a tenth of their words."""
    dice = random.Random(0)
    labels = [dice.choice(("good", "bad")) for _ in range(240)]
    return [make_text(dice, label) for label in labels], labels


@pytest.fixture
def documents(texts):
    return [Document(text=text, source="s", name=f"d{n}.txt") for n, text in enumerate(texts[0])]


@pytest.fixture
def folders(texts, tmp_path):
    """The texts as files, a folder a label."""
    for number, (text, label) in enumerate(zip(*texts, strict=True)):
        (tmp_path / label).mkdir(exist_ok=True)
        (tmp_path / label / f"{number}.txt").write_text(text)
    return {label: str(tmp_path / label) for label in SIGNS}
