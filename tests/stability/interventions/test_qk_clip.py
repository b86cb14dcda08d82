"""QK-clip: after it the same input gives at most tau, and no other head changes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.stability.interventions.qk_clip import QKClip, QKClipConfig, head_factors

N_HEADS, N_GROUPS, HEAD, WIDTH = 4, 2, 6, 10


def max_logits_H(query_weight, key_weight, x_TC, bias=None):
    """Causal-free maxima of grouped-query attention with rotary embedding, one head at a time."""
    position_T1 = torch.arange(len(x_TC), dtype=torch.float64)[:, None]
    angle_TD = position_T1 * 0.3 ** torch.arange(HEAD // 2)
    turn_TD = torch.polar(torch.ones_like(angle_TD), angle_TD)

    def rotated(row_TD):
        return torch.view_as_real(torch.view_as_complex(row_TD.unflatten(1, (-1, 2))) * turn_TD)

    maxima = []
    for head in range(N_HEADS):
        rows = slice(head * HEAD, (head + 1) * HEAD)
        group = head * N_GROUPS // N_HEADS
        q = x_TC @ query_weight[rows].T + (0 if bias is None else bias[rows])
        k = x_TC @ key_weight[group * HEAD : (group + 1) * HEAD].T
        q, k = rotated(q.contiguous()).flatten(1), rotated(k.contiguous()).flatten(1)
        maxima.append((q @ k.T / math.sqrt(HEAD)).max())
    return torch.stack(maxima)


def attention(seed=0):
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    query = torch.nn.Parameter(3 * randn(N_HEADS * HEAD, WIDTH))
    return query, randn(N_GROUPS * HEAD, WIDTH), randn(7, WIDTH), randn(N_HEADS * HEAD)


@given(seed=st.integers(0, 1000), tau=st.floats(0.1, 200))
@settings(max_examples=30, deadline=None)
def test_the_same_input_then_gives_min_of_tau_and_what_it_gave(seed, tau):
    query, key, x, bias = attention(seed)
    before_H = max_logits_H(query.detach(), key, x, bias)
    clip = QKClip(QKClipConfig(tau=tau))
    clip.clip({"q": query}, {"q": before_H}, step=1, query_biases={"q": bias})
    after_H = max_logits_H(query.detach(), key, x, bias)
    torch.testing.assert_close(after_H, before_H.clamp(max=tau), rtol=1e-9, atol=1e-12)


def test_it_is_idempotent_and_leaves_heads_below_tau_bitwise():
    query, key, x, _ = attention()
    before = query.detach().clone()
    before_H = max_logits_H(before, key, x)
    tau = float(before_H.median())
    clip = QKClip(QKClipConfig(tau=tau))
    clip.clip({"q": query}, {"q": before_H}, step=1)
    once = query.detach().clone()
    for head in range(N_HEADS):
        rows = slice(head * HEAD, (head + 1) * HEAD)
        assert torch.equal(once[rows], before[rows]) == bool(before_H[head] <= tau)
    clip.clip({"q": query}, {"q": max_logits_H(once, key, x).clamp(max=tau)}, step=2)
    assert torch.equal(query.detach(), once)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_undo_brings_the_weights_back_and_the_log_says_so(dtype):
    log = []
    query = torch.nn.Parameter(torch.randn(8, 3).to(dtype))
    before = query.detach().clone()
    clip = QKClip(QKClipConfig(tau=10.0), log=log.append)
    clip.clip({"q": query}, {"q": torch.tensor([40.0, 5.0])}, step=3)
    assert torch.equal(query.detach()[:4], before[:4] / 4)
    other = QKClip()
    other.load_state_dict(clip.state_dict())
    clip.undo({"q": query}, step=4)
    assert torch.equal(query.detach(), before) and other.factors_H["q"].tolist() == [0.25, 1.0]
    assert [(line["step"], line["undone"]) for line in log] == [(3, False), (4, True)]
    assert log[0]["before"]["max_logit"] == 40.0 and log[0]["after"]["n_heads"] == 1


def test_heads_without_a_finite_positive_maximum_stay():
    logits = torch.tensor([math.nan, math.inf, -500.0, 0.0, 100.0, 200.0])
    assert head_factors(logits, 100.0).tolist() == [1, 1, 1, 1, 1, 0.5]


def test_switched_off_it_does_nothing():
    query = torch.nn.Parameter(torch.ones(4, 2))
    QKClip(enabled=False).clip({"q": query}, {"q": torch.tensor([1e6])}, step=1)
    assert torch.equal(query.detach(), torch.ones(4, 2))


def test_bad_input_is_refused():
    query = torch.nn.Parameter(torch.ones(7, 2))
    with pytest.raises(UserError, match="heads"):
        QKClip().clip({"q": query}, {"q": torch.ones(2)}, step=1)
    with pytest.raises(UserError, match="no attention logits of q"):
        QKClip().clip({"q": query}, {}, step=1)
    for tau in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(UserError, match="tau"):
            QKClipConfig(tau=tau)
