"""The advisor: q of each tensor, the recommendation, and the hint at a changed loss scale."""

import numpy as np
import pytest
import torch

from herd.stability.interventions.epsilon_advisor import advise_epsilon, loss_scale_hint
from tests.stability.interventions.toy import gradients, parameters, train

SCALES = (1.0, 1e-6, 1.0)


def trained(scale=1.0, n_steps=30, eps=1e-7):
    named = parameters()
    optimizer = torch.optim.AdamW(named, lr=1e-3, betas=(0.9, 0.95), eps=eps)
    steps = gradients(n_steps)
    train(
        optimizer,
        named,
        [[scale * s * g for s, g in zip(SCALES, step, strict=True)] for step in steps],
    )
    return optimizer, steps


def test_q_is_epsilon_over_the_rms_of_sqrt_v():
    optimizer, steps = trained()
    advice = advise_epsilon(optimizer)
    assert [tensor.name for tensor in advice.tensors] == ["layers.0.weight", "layers.1.weight"]
    for i, tensor in enumerate(advice.tensors):
        second = np.zeros(steps[0][i].shape)
        for step in steps:
            second = 0.95 * second + 0.05 * (SCALES[i] * step[i].double().numpy()) ** 2
        rms = np.sqrt(np.mean(second / (1 - 0.95**30)))
        assert tensor.second_moment_rms == pytest.approx(rms, rel=1e-5)
        assert tensor.ratio == pytest.approx(1e-7 / rms, rel=1e-5)
    assert advice.recommended == pytest.approx(0.1 * advice.tensors[1].second_moment_rms)


def test_it_names_what_is_too_large_and_shows_the_counter_evidence():
    advice = advise_epsilon(trained(eps=1e-6)[0])
    assert [tensor.name for tensor in advice.large] == ["layers.1.weight"]
    words = " ".join(advice.sentences())
    assert "layers.1.weight" in words and "AdaGC" in words and "Wortsman" in words


def test_where_epsilon_fits_it_says_so():
    assert advise_epsilon(trained(eps=1e-12)[0]).sentences() == [
        "epsilon is below a tenth of RMS(sqrt(v)) in every tensor; keep it"
    ]


def test_tiny_gradients_are_advised_no_less_than_float32_can_use():
    assert advise_epsilon(trained(scale=1e-10)[0]).recommended == 1e-15


def test_tensors_without_gradients_are_silent_and_do_not_count():
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([("bias", weight)])
    assert advise_epsilon(optimizer).recommended is None
    weight.grad = torch.zeros(3)
    optimizer.step()
    advice = advise_epsilon(optimizer)
    assert advice.silent == ("bias",) and advice.large == () and advice.recommended is None


def test_gradients_that_all_change_alike_hint_at_the_loss_scale():
    before, after = advise_epsilon(trained()[0]), advise_epsilon(trained(scale=64.0)[0])
    assert "64" in loss_scale_hint(before, after)
    assert loss_scale_hint(before, before) == ""
    assert loss_scale_hint(before, advise_epsilon(trained(scale=2.0)[0])) == ""


def test_gradients_of_which_some_change_are_no_hint():
    before = advise_epsilon(trained()[0])
    optimizer, _ = trained()
    list(optimizer.state.values())[0]["exp_avg_sq"].mul_(4096)
    assert loss_scale_hint(before, advise_epsilon(optimizer)) == ""
