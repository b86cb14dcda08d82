"""Against transformers.LlamaForCausalLM, float32, random weights."""

from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from herd.model import ModelConfig, RopeScaling, Transformer, init_weights

TOLERANCE = 1e-4

PLAIN = ModelConfig(
    vocab_size=101, dim=48, n_layers=3, n_heads=4, n_kv_heads=4, ffn_dim=96, max_context=128
)
CASES = {
    "plain": PLAIN,
    "grouped": replace(PLAIN, n_kv_heads=2),
    "multi_query": replace(PLAIN, n_kv_heads=1, norm_eps=1e-6),
    "tied": replace(PLAIN, tie_embeddings=True),
    "llama2_base": replace(PLAIN, rope_theta=10_000.0),
    "scaled_rope": replace(PLAIN, rope_scaling=RopeScaling(factor=8.0, original_context=32)),
    "odd_sizes": replace(
        PLAIN, vocab_size=67, dim=30, n_heads=3, n_kv_heads=3, head_dim=14, ffn_dim=53
    ),
    "everything": replace(
        PLAIN,
        n_kv_heads=2,
        tie_embeddings=True,
        rope_scaling=RopeScaling(factor=32.0, original_context=16),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_logits_and_every_gradient_equal_those_of_transformers(name):
    config = CASES[name]
    ours, peer = _pair(config)
    tokens_BT = torch.randint(config.vocab_size, (2, 37))
    mask_BT = (torch.rand(2, 36) < 0.8).float()

    ours_logits, peer_logits = ours(tokens_BT), peer(tokens_BT).logits
    assert (ours_logits - peer_logits).abs().max() <= TOLERANCE

    loss_sum, n_tokens = ours.loss(tokens_BT[:, :-1], tokens_BT[:, 1:], loss_mask_BT=mask_BT)
    (loss_sum / n_tokens).backward()
    labels_BT = torch.where(mask_BT.bool(), tokens_BT[:, 1:], -100)
    peer_loss = torch.nn.functional.cross_entropy(
        peer_logits[:, :-1].flatten(0, 1), labels_BT.flatten()
    )
    peer_loss.backward()
    assert abs((loss_sum / n_tokens - peer_loss).item()) <= 1e-5

    gradients = {our: parameter.grad for our, parameter in ours.named_parameters()}
    peer_parameters = dict(peer.named_parameters())
    assert len(gradients) == len(peer_parameters)
    for our, gradient in gradients.items():
        difference = (gradient - peer_parameters[peer_name(our)].grad).abs().max()
        assert difference <= TOLERANCE, our
        assert gradient.abs().max() > 0, our


def _pair(config):
    torch.manual_seed(0)
    ours = Transformer(config)
    init_weights(ours, seed=1)
    for parameter in ours.parameters():  # norms of one would hide a misplaced norm
        if parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    peer = LlamaForCausalLM(_peer_config(config))
    names = {peer_name(name): tensor for name, tensor in ours.state_dict().items()}
    missing, unexpected = peer.load_state_dict(names, strict=False)
    assert not unexpected
    assert set(missing) <= ({"lm_head.weight"} if config.tie_embeddings else set())
    return ours, peer.eval()


def _peer_config(config):
    rope = {"rope_type": "default", "rope_theta": config.rope_theta}
    if config.rope_scaling is not None:
        rope = {
            "rope_type": "llama3",
            "rope_theta": config.rope_theta,
            "factor": config.rope_scaling.factor,
            "low_freq_factor": config.rope_scaling.low_freq_factor,
            "high_freq_factor": config.rope_scaling.high_freq_factor,
            "original_max_position_embeddings": config.rope_scaling.original_context,
        }
    return LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.dim,
        intermediate_size=config.ffn_dim,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        num_key_value_heads=config.n_kv_heads,
        head_dim=config.head_dim,
        max_position_embeddings=config.max_context,
        rms_norm_eps=config.norm_eps,
        rope_parameters=rope,
        tie_word_embeddings=config.tie_embeddings,
        attention_bias=False,
        mlp_bias=False,
    )


def peer_name(name):
    parts = {
        "embedding": "model.embed_tokens",
        "norm": "model.norm",
        "output": "lm_head",
        "layers": "model.layers",
        "attention_norm": "input_layernorm",
        "feed_forward_norm": "post_attention_layernorm",
        "attention": "self_attn",
        "feed_forward": "mlp",
        "gate": "gate_proj",
        "up": "up_proj",
        "down": "down_proj",
        "q": "q_proj",
        "k": "k_proj",
        "v": "v_proj",
        "o": "o_proj",
    }
    return ".".join(parts.get(part, part) for part in name.split("."))
