"""The published models on the meta device: exact sizes."""

import pytest
import torch

from herd import model as models
from herd.model import Transformer, parameter_count

# From the checkpoints' own totals; 34B was never released, so its is derived.
PARAMETERS = {
    "llama2_7b": 6_738_415_616,
    "llama2_13b": 13_015_864_320,
    "llama2_34b": 33_743_970_304,
    "llama2_70b": 68_976_648_192,
    "llama3_8b": 8_030_261_248,
    "llama3_70b": 70_553_706_496,
    "llama31_8b": 8_030_261_248,
    "llama31_70b": 70_553_706_496,
    "llama31_405b": 405_853_388_800,
    "llama32_1b": 1_235_814_400,
    "llama32_3b": 3_212_749_824,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_preset_has_exactly_the_published_number_of_parameters(name):
    config = getattr(models, name)()
    with torch.device("meta"):
        model = Transformer(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]
    assert parameter_count(config) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["llama3_8b", "llama32_1b"])
def test_preset_runs_on_the_meta_device(name):
    config = getattr(models, name)()
    with torch.device("meta"):
        model = Transformer(config)
        logits_BTV = model(torch.zeros(2, 16, dtype=torch.int64))
    assert logits_BTV.shape == (2, 16, config.vocab_size)


def test_generations_differ_in_context_and_rotation_only():
    first, second = models.llama3_8b(), models.llama31_8b()
    assert (first.max_context, second.max_context) == (8192, 131_072)
    assert first.rope_scaling is None
    assert second.rope_scaling.factor == 8.0
    assert models.llama32_1b().rope_scaling.factor == 32.0
