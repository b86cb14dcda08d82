"""Initial weights, all in one place.

In: a `Transformer` and a seed. Out: the same module, filled in place.
Never: pretrained weights; those come from `herd.model.formats`.
"""

import hashlib
import math

import torch

from herd.model.transformer import Transformer


@torch.no_grad()
def init_weights(model: Transformer, *, seed: int) -> None:
    """Fill every parameter from a normal distribution cut at three standard deviations.

    Neither paper reports its initialisation. Ours:

        norms                                        1
        embedding                                    std sqrt(2 / (5 D))
        q, k, v, gate, up, output                    std sqrt(2 / (5 D))
        o, down (they write to the residual stream)  the same / sqrt(2 L)

    sqrt(2 / (5 D)) is Nguyen and Salazar 2019, the division GPT-2's. Each parameter draws from its
    own generator, seeded by the seed and the parameter's name; so the values do not depend on the
    order of layers, on which of them live here, or on the number of threads.
    """
    config = model.config
    std = math.sqrt(2.0 / (5.0 * config.dim))
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.fill_(1.0)
            continue
        writes_to_residual = name.endswith(("attention.o.weight", "feed_forward.down.weight"))
        scale = 1.0 / math.sqrt(2.0 * config.n_layers) if writes_to_residual else 1.0
        _fill(parameter, std * scale, _generator(name, seed, parameter.device))


def _fill(parameter: torch.Tensor, std: float, generator: torch.Generator) -> None:
    torch.nn.init.trunc_normal_(parameter, std=std, a=-3 * std, b=3 * std, generator=generator)


def _generator(name: str, seed: int, device: torch.device) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest[:7], "big"))
