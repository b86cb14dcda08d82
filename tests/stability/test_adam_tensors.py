"""Which tensors an optimizer steps, what they are called and to which layer they belong."""

import pytest
import torch
from torch import nn

from herd.foundation import UserError
from herd.stability.adam_tensors import adam_tensors, check_family, layer_of, named_parameters


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("embedding.weight", "embedding"),
        ("layers.3.attention.q.weight", "layers.3"),
        ("model.layers.11.self_attn.q_proj.weight", "model.layers.11"),
        ("transformer.h.0.mlp.c_fc.bias", "transformer.h.0"),
        ("0.weight", "0"),
        ("lm_head.weight", "lm_head"),
        ("weight", "weight"),
    ],
)
def test_a_layer_is_the_path_up_to_the_first_number(name: str, layer: str) -> None:
    assert layer_of(name) == layer


def test_names_lose_what_compiling_and_sharding_wrap_around_them() -> None:
    inner = nn.Linear(2, 2, bias=False)
    wrapped = nn.ModuleDict({"_orig_mod": nn.ModuleDict({"module": inner})})
    assert [name for name, _ in named_parameters(wrapped)] == ["weight"]


def test_the_order_is_the_model_s_and_not_the_optimizer_s() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    groups = [{"params": list(model[1].parameters())}, {"params": list(model[0].parameters())}]
    found = adam_tensors([torch.optim.AdamW(groups)], model)
    assert [each.name for each in found] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert [each.group_index for each in found] == [1, 1, 0, 0]


def test_frozen_parameters_that_no_optimizer_steps_are_left_out() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    found = adam_tensors([torch.optim.AdamW(model[1].parameters())], model)
    assert [each.layer for each in found] == ["1", "1"]


def test_constants_are_those_of_the_groups_as_they_are_now() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tensor = adam_tensors([optimizer], model)[0]
    optimizer.load_state_dict(optimizer.state_dict())  # gives the optimizer new groups
    optimizer.param_groups[0]["lr"] = 0.5
    assert tensor.group["lr"] == 0.5


def test_tied_parameters_are_watched_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    names = [each.name for each in adam_tensors([torch.optim.AdamW(model.parameters())], model)]
    assert names == ["0.weight", "0.bias", "1.bias"]


def test_two_parameters_of_one_name_are_refused() -> None:
    parts = [nn.Linear(1, 1), nn.Linear(1, 1)]
    with pytest.raises(UserError, match="two parameters are called weight"):
        adam_tensors([torch.optim.AdamW([p for part in parts for p in part.parameters()])], parts)


def test_an_optimizer_of_none_of_the_model_s_parameters_is_refused() -> None:
    with pytest.raises(UserError, match="not the model's|nothing to watch"):
        adam_tensors([torch.optim.AdamW(nn.Linear(1, 1).parameters())], nn.Linear(1, 1))


def test_the_family_includes_what_derives_from_it() -> None:
    class Mine(torch.optim.AdamW):
        """Somebody's own."""

    check_family(Mine(nn.Linear(1, 1).parameters()))
    with pytest.raises(UserError, match="not of SGD"):
        check_family(torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1))
