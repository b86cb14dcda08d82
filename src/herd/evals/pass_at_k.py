"""pass@k without bias: whether one of k programs passes, from n programs of which c did.

In: counts. Out: the estimate `1 - C(n-c, k) / C(n, k)` (Chen et al. 2021, equation 1). Never: `1 - (1 - c/n)^k`,
which is biased.
"""

from __future__ import annotations

import math

from herd.foundation import UserError


def pass_at_k(n_samples: int, n_passed: int, k: int) -> float:
    """Return the chance that k of the samples, drawn without replacement, hold one that passed.

    Raises UserError for k above the number of samples, or counts that make no sense.
    """
    if not 0 <= n_passed <= n_samples or not 1 <= k <= n_samples:
        raise UserError(
            f"pass@{k} of {n_samples} samples, {n_passed} of which passed: give k from 1 to the samples"
        )
    n_failed = n_samples - n_passed
    # A product of ratios: binomials of large numbers do not fit a float.
    return 1.0 - math.prod((n_failed - i) / (n_samples - i) for i in range(k))
