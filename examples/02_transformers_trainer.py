"""Watch a `transformers.Trainer`: one callback. Needs `pip install transformers accelerate`."""

import tempfile

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from herd.stability import WatchConfig, read_watch_log
from herd.stability.integrations import transformers_watch


def main() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=32,
    )  # fmt: skip
    rows = [{"input_ids": ids, "labels": ids} for ids in torch.randint(0, 64, (64, 16))]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=20, per_device_train_batch_size=4, use_cpu=True,
            gradient_accumulation_steps=2, save_strategy="no", report_to="none", disable_tqdm=True,
            dataloader_pin_memory=False,
        )  # fmt: skip
        watch = transformers_watch(WatchConfig(every_steps=1), stop_on_alarm=False)
        Trainer(
            model=LlamaForCausalLM(config), args=arguments, train_dataset=rows, callbacks=[watch]
        ).train()
        header, records = read_watch_log(f"{folder}/stability.jsonl")
    print(f"{len(records)} steps of {len(header['layers'])} layers in stability.jsonl")
    last = records[-1]
    print(f"step {last['step']}: {last['level']}, update RMS by layer {last['update_rms']}")


if __name__ == "__main__":
    main()
