import itertools
import math
import random
from fractions import Fraction

import pytest

from herd.evals.pass_at_k import pass_at_k
from herd.foundation import UserError


def exact(n_samples: int, n_passed: int, k: int) -> Fraction:
    return 1 - Fraction(math.comb(n_samples - n_passed, k), math.comb(n_samples, k))


def test_it_is_equation_1_of_chen_et_al_for_every_small_count() -> None:
    for n_samples in range(1, 13):
        for n_passed in range(n_samples + 1):
            for k in range(1, n_samples + 1):
                expected = float(exact(n_samples, n_passed, k))
                assert pass_at_k(n_samples, n_passed, k) == pytest.approx(expected, abs=1e-14)


def test_it_is_the_share_of_draws_that_hold_a_program_that_passed() -> None:
    passed = [True, False, True, False, False, False]
    draws = list(itertools.combinations(passed, 3))
    assert pass_at_k(6, 2, 3) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_1_is_the_share_that_passed() -> None:
    assert pass_at_k(200, 37, 1) == pytest.approx(37 / 200)


def test_none_passed_gives_0_and_all_passed_gives_1_exactly() -> None:
    assert pass_at_k(100, 0, 100) == 0.0
    assert pass_at_k(100, 100, 1) == 1.0


def test_it_is_1_exactly_where_every_draw_must_hold_one_that_passed() -> None:
    assert pass_at_k(10, 4, 7) == 1.0
    assert pass_at_k(10, 4, 6) < 1.0


def test_it_grows_with_k_and_with_the_number_that_passed() -> None:
    by_k = [pass_at_k(50, 5, k) for k in range(1, 51)]
    by_passed = [pass_at_k(50, passed, 10) for passed in range(51)]
    assert by_k == sorted(by_k) and by_passed == sorted(by_passed)


def test_large_counts_stay_numbers() -> None:
    estimate = pass_at_k(100_000, 1_000, 1_000)
    assert estimate == pytest.approx(float(exact(100_000, 1_000, 1_000)), rel=1e-9)


def test_it_is_without_bias() -> None:
    chance, n_samples, k = 0.2, 10, 5
    random.seed(0)
    counts = [sum(random.random() < chance for _ in range(n_samples)) for _ in range(20_000)]
    mean = sum(pass_at_k(n_samples, passed, k) for passed in counts) / len(counts)
    assert mean == pytest.approx(1 - (1 - chance) ** k, abs=0.01)


@pytest.mark.parametrize(
    ("n_samples", "n_passed", "k"), [(5, 1, 6), (5, 6, 1), (5, -1, 1), (5, 1, 0), (0, 0, 1)]
)
def test_counts_that_make_no_sense_are_refused(n_samples: int, n_passed: int, k: int) -> None:
    with pytest.raises(UserError, match="pass@"):
        pass_at_k(n_samples, n_passed, k)
