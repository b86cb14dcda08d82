"""How often the text of each group is read, so that the groups have the shares asked for.

In: bytes that each group has; shares, or a temperature. Out: epochs for each group (0.4: two fifths of
it are read once; 2.5: all of it twice, half of it a third time).
Never: a share missed in silence: where a group has too little text, all groups are read less.
"""

from collections.abc import Mapping

from herd.foundation import UserError

REST = "*"  # what stands for all groups without a weight of their own


def temperature_shares(n_bytes: Mapping[str, int], temperature: float) -> dict[str, float]:
    """Return shares in proportion to `n_bytes ** (1 / temperature)`: 1 as they come, large: all alike.

    (Conneau & Lample 2019, section 3.1, with the exponent written as a temperature.)
    """
    powers = {group: size ** (1 / temperature) for group, size in n_bytes.items() if size}
    total = sum(powers.values())
    return {group: power / total for group, power in powers.items()}


def explicit_shares(n_bytes: Mapping[str, int], weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weights as shares of 1; groups under REST share its weight by their bytes.

    Raises UserError for a weight without text, and for text without a weight.
    """
    missing = [group for group in weights if group != REST and not n_bytes.get(group)]
    if missing:
        there = ", ".join(sorted(n_bytes)) or "nothing"
        raise UserError(f"mix.weights: no text of {missing[0]!r}; there is {there}")
    others = {group: size for group, size in n_bytes.items() if group not in weights and size}
    if others and REST not in weights:
        first = sorted(others)[0]
        raise UserError(
            f"mix.weights: none for {first!r}; give it one (0 drops it), or one for '*'"
        )
    total = sum(weight for group, weight in weights.items() if group != REST or others)
    if not total:
        raise UserError("mix.weights: all that has text has weight 0")
    shares = {group: weight / total for group, weight in weights.items() if group != REST}
    rest, rest_bytes = weights.get(REST, 0.0) / total, sum(others.values())
    return shares | {group: rest * size / rest_bytes for group, size in others.items()}


def epochs_of(
    n_bytes: Mapping[str, int], shares: Mapping[str, float], total_bytes: int, max_epochs: float
) -> dict[str, float]:
    """Return the epochs of each group, for `total_bytes` in all, or as much less as `max_epochs` asks."""
    read = {group: share for group, share in shares.items() if share > 0 and n_bytes.get(group)}
    most = min((n_bytes[group] * max_epochs / share for group, share in read.items()), default=0)
    total = min(float(total_bytes), most)
    return {
        group: read.get(group, 0.0) * total / size if size else 0.0
        for group, size in n_bytes.items()
    }
