"""Where the text of a run comes from: bad settings are named."""

import pytest

from herd.foundation import UserError
from herd.pretraining import CorpusConfig, TokenizerConfig


def test_a_corpus_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"corpus\.sources is empty"):
        CorpusConfig.of()


@pytest.mark.parametrize(("field", "value"), [("vocab_size", 0), ("train_bytes", -1)])
def test_a_bad_field_is_named(field: str, value: int) -> None:
    with pytest.raises(UserError, match=field):
        TokenizerConfig(**{"vocab_size": 1000, field: value})
