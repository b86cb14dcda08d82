"""A tiny model on disk that babbles: random weights, a real tokenizer, a chat template."""

import json
from pathlib import Path

import pytest

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="session")
def babbler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp("babbler"), CHATML)


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp("base"), None)


def _save(directory: Path, template: str | None) -> Path:
    from herd.model import ModelConfig, Transformer, init_weights, save_hf
    from herd.tokenizer import train_bpe

    special = ("<|im_start|>", "<|im_end|>")
    tokenizer = train_bpe(["one two three"], vocab_size=262, special_tokens=special)
    config = ModelConfig(
        vocab_size=262, dim=16, n_layers=2, n_heads=2, n_kv_heads=1, ffn_dim=16, max_context=2048
    )
    model = Transformer(config)
    init_weights(model, seed=1)
    save_hf(model, directory / "model", tokenizer=tokenizer)
    settings = directory / "model" / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"chat_template": template}))
    return directory / "model"
