"""The closed forms of the theory: what Adam's update looks like when all is well, and when not.

In: beta1, beta2, the lag-1 correlation rho of gradients in time. Out: sizes and cosines of the
update, its hard bound, the sharpness at which Adam oscillates.
Source: derived from Adam's recurrences in the setting of Molybog et al. 2023 (arXiv 2304.09871):
independent gradients give a bell-shaped update of small norm, gradients that keep their sign push
its coordinates to -1 and +1. Bias correction is left out: these hold after some 1/(1 - beta2) steps.
"""

import math

from herd.foundation import UserError


def memory_steps(beta: float) -> float:
    """Return over how many steps an exponential average with this beta remembers: 1/(1 - beta)."""
    return 1 / (1 - _beta(beta, "beta"))


def healthy_update_rms(beta1: float) -> float:
    """Return the RMS of the update under independent, zero-mean gradients: 0.229 for beta1 0.9.

    The variance of an average of independent terms, sqrt((1 - beta1)/(1 + beta1)); exact as beta2
    approaches 1 and epsilon 0.
    """
    return correlated_update_rms(beta1, 0.0)


def frozen_update_rms(beta1: float, gradient_over_epsilon: float) -> float:
    """Return the RMS under independent gradients of size s * epsilon: the healthy one * s/(1 + s)."""
    if not gradient_over_epsilon >= 0:
        raise UserError(f"gradient over epsilon cannot be negative: {gradient_over_epsilon}")
    if math.isinf(gradient_over_epsilon):
        return healthy_update_rms(beta1)
    return healthy_update_rms(beta1) * gradient_over_epsilon / (1 + gradient_over_epsilon)


def correlated_update_rms(beta1: float, rho: float) -> float:
    """Return the RMS of the update when gradients have lag-1 correlation rho in time (AR(1)).

    sqrt((1 - beta1)/(1 + beta1) * (1 + rho beta1)/(1 - rho beta1)), which tends to 1 with rho. A
    second moment of short memory follows single gradients and holds the RMS below this.
    """
    beta1, rho = _beta(beta1, "beta1"), _correlation(rho)
    return math.sqrt((1 - beta1) / (1 + beta1) * (1 + rho * beta1) / (1 - rho * beta1))


def correlation_from_update_rms(beta1: float, update_rms: float) -> float:
    """Return the rho at which `correlated_update_rms` is `update_rms`, within [-1, 1]."""
    ratio = update_rms**2 * (1 + beta1) / (1 - beta1)
    return _clamped((ratio - 1) / (beta1 * (ratio + 1))) if beta1 else 0.0


def gradient_momentum_cosine(beta1: float, rho: float) -> float:
    """Return cos(g_t, m_{t-1}) under AR(1) gradients: rho sqrt((1 - beta1^2)/(1 - beta1^2 rho^2))."""
    beta1, rho = _beta(beta1, "beta1"), _correlation(rho)
    return rho * math.sqrt((1 - beta1**2) / (1 - beta1**2 * rho**2))


def correlation_from_cosine(beta1: float, cosine: float) -> float:
    """Return the rho at which `gradient_momentum_cosine` is `cosine`."""
    return _clamped(cosine / math.sqrt(1 - beta1**2 + beta1**2 * cosine**2))


def own_update_cosine(beta1: float) -> float:
    """Return cos(g_t, u_t) for pure noise, sqrt(1 - beta1^2): why that cosine tests nothing.

    0.436 for beta1 0.9, since g_t is a part of m_t. Test descent by cos(g_t, u_{t-1}).
    """
    return math.sqrt(1 - _beta(beta1, "beta1") ** 2)


def fresh_gradient_update(
    beta1: float, beta2: float, n_gradients: int = 1, n_steps_later: int = 0
) -> float:
    """Return |u| of a cold coordinate after equal gradients in a row, then silence.

    (1 - beta1^n)/sqrt(1 - beta2^n) * (beta1/sqrt(beta2))^k: 0.447 at once for betas 0.9 and 0.95,
    3.16 for 0.9 and 0.999, against 0.229 in health.
    """
    beta1, beta2 = _beta(beta1, "beta1"), _beta(beta2, "beta2")
    if n_gradients < 1 or n_steps_later < 0:
        raise UserError(
            f"at least one gradient, and no negative wait: {n_gradients}, {n_steps_later}"
        )
    kick = (1 - beta1**n_gradients) / math.sqrt(1 - beta2**n_gradients)
    return kick * (beta1 / math.sqrt(beta2)) ** n_steps_later if n_steps_later else kick


def update_hard_bound(beta1: float, beta2: float) -> float:
    """Return what |u| cannot exceed, whatever the gradients; infinite unless beta1^2 < beta2.

    By Cauchy and Schwarz, (1 - beta1)/sqrt((1 - beta2)(1 - beta1^2/beta2)).
    """
    beta1, beta2 = _beta(beta1, "beta1"), _beta(beta2, "beta2")
    if beta1**2 >= beta2:
        return 1.0 if beta1 == 0 else math.inf
    return (1 - beta1) / math.sqrt((1 - beta2) * (1 - beta1**2 / beta2))


def sharpness_threshold(beta1: float, learning_rate: float) -> float:
    """Return the preconditioned sharpness above which Adam oscillates: 38/eta for beta1 0.9.

    2/eta * (1 + beta1)/(1 - beta1), Cohen et al. 2022 (arXiv 2207.14484).
    """
    if not learning_rate > 0:
        raise UserError(f"the learning rate must be above 0: {learning_rate}")
    return 2 / learning_rate * (1 + _beta(beta1, "beta1")) / (1 - beta1)


def _beta(beta: float, name: str) -> float:
    if not 0 <= beta < 1:
        raise UserError(f"{name} must lie in [0, 1), not {beta}")
    return beta


def _correlation(rho: float) -> float:
    if not -1 <= rho <= 1:
        raise UserError(f"a correlation must lie in [-1, 1], not {rho}")
    return rho


def _clamped(rho: float) -> float:
    return max(-1.0, min(1.0, rho))
