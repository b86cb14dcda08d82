"""Tell mechanisms apart: attention logits, output logits and sharpness go to the watch with the loss."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from herd.stability import AdamWatch
from herd.stability.probes import AttentionLogitProbe, OutputLogitProbe, largest
from herd.stability.sharpness import preconditioned_sharpness


def main() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=32,
    )  # fmt: skip
    model = LlamaForCausalLM(config).train()
    with torch.no_grad():  # as if a run had let the queries of layer 1 grow
        model.model.layers[1].self_attn.q_proj.weight.mul_(5000)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95))
    watch = AdamWatch(optimizer, model)
    attention, output = AttentionLogitProbe(model), OutputLogitProbe(model)
    for step in range(10):
        ids_BT = torch.randint(0, 64, (4, 16))
        optimizer.zero_grad()
        loss = model(input_ids=ids_BT, labels=ids_BT).loss
        loss.backward()
        optimizer.step()
        logits, log_z = attention.take(), output.take().log_z
        ratio = None
        if step == 9:  # dear: now and then, on one fixed batch

            def loss_of_batch(ids_BT: torch.Tensor = ids_BT) -> torch.Tensor:
                return model(input_ids=ids_BT, labels=ids_BT).loss

            ratio = preconditioned_sharpness(loss_of_batch, model.parameters(), optimizer).ratio
        verdict = watch.step(
            loss=loss, attention_logit_max=largest(logits), log_z=log_z, sharpness_ratio=ratio
        )
    print(f"step {verdict.step}: {verdict.level}")
    print(*verdict.reasons, sep="\n")
    for layer, logits_H in logits.items():
        print(f"{layer}: no attention logit above {logits_H.max():.1f}")
    print(f"log Z {log_z:.2f}, sharpness at {ratio:.2f} of the edge of stability")


if __name__ == "__main__":
    main()
