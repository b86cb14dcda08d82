"""The two languages: what can be foretold, and that they share no token."""

import pytest
import torch

from herd.foundation import UserError
from herd.stability.reproduction.r3_languages import StagedLanguages


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_old_language_is_a_cycle_over_the_lower_half() -> None:
    batch = StagedLanguages(vocabulary=8, n_positions=10, jump=0.0).old_batch(generator(), 20)
    assert batch.shape == (20, 11)
    assert batch.max() < 4
    assert torch.equal((batch[:, :-1] + 1) % 4, batch[:, 1:])


def test_the_old_language_jumps_as_often_as_asked() -> None:
    batch = StagedLanguages(vocabulary=64, n_positions=50, jump=0.1).old_batch(generator(), 400)
    jumped = ((batch[:, :-1] + 1) % 32 != batch[:, 1:]).float().mean()
    assert jumped == pytest.approx(0.1 * 30 / 31, abs=0.01)  # one leap in 31 is the cycle's own


def test_the_new_language_copies_itself_in_the_upper_half() -> None:
    batch = StagedLanguages(vocabulary=8, n_positions=9).new_batch(generator(), 20)
    assert batch.shape == (20, 10)
    assert batch.min() >= 4
    assert torch.equal(batch[:, :5], batch[:, 5:])


def test_a_mix_holds_its_share_of_new_sequences_last() -> None:
    languages = StagedLanguages(vocabulary=8, n_positions=4, new_share=0.25)
    batch = languages.batch(generator(), 8, new=True)
    assert (batch[:6] < 4).all() and (batch[6:] >= 4).all()
    assert (languages.batch(generator(), 8, new=False) < 4).all()


@pytest.mark.parametrize("wrong", [{"vocabulary": 5}, {"n_positions": 1}, {"jump": 1.5}])
def test_impossible_languages_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match="languages"):
        StagedLanguages(**wrong)
