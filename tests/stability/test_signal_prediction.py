"""A steady gradient: the formula against the simulation, and against the specification's numbers."""

import math

import pytest

from herd.foundation import UserError
from herd.stability.signal_prediction import predict_signal, signal_alignment, signal_update_rms
from herd.stability.theory import healthy_update_rms


@pytest.mark.parametrize("snr", [0.0, 0.3, 1.0, 3.0])
def test_the_formula_is_what_a_simulation_measures(snr: float) -> None:
    rms, alignment, *_ = predict_signal(0.9, 0.99, snr)
    assert rms.simulated == pytest.approx(rms.formula, rel=0.02)
    assert alignment.simulated == pytest.approx(alignment.formula, abs=0.02)


@pytest.mark.parametrize(("snr", "rms", "bimodality", "valley"), [(0.5, 0.48, 0.69, 0.17)])
def test_golden_values(snr: float, rms: float, bimodality: float, valley: float) -> None:
    rows = predict_signal(0.9, 0.95, snr)
    measured = [row.simulated for row in rows]
    assert measured[0] == pytest.approx(rms, abs=0.01)
    assert measured[2] == pytest.approx(bimodality, abs=0.03)
    assert measured[3] == pytest.approx(valley, abs=0.05)


def test_no_signal_is_health_and_pure_signal_is_one() -> None:
    assert signal_update_rms(0.9, 0.0) == healthy_update_rms(0.9)
    assert signal_alignment(0.9, 0.0) == 0
    assert signal_update_rms(0.9, 1e6) == pytest.approx(1.0)
    assert signal_alignment(0.9, 1e6) == pytest.approx(1.0)


@pytest.mark.parametrize("snr", [-0.1, math.nan, math.inf])
def test_a_ratio_out_of_range_is_a_mistake(snr: float) -> None:
    with pytest.raises(UserError, match="signal-to-noise"):
        predict_signal(0.9, 0.95, snr)
