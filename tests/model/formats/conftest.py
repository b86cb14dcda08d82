"""Small models and tokenizers that the format tests share."""

import io

import pytest
import sentencepiece
import torch

from herd.model import ModelConfig, RopeScaling, Transformer, init_weights
from herd.tokenizer import load, train_bpe

TEXT = (
    "The sheep of the herd walk up the hill in the morning and down the hill in the evening. "
    "A shepherd counts them: one, two, three, 4, 5, 6. Wolves howl; nobody sleeps! "
    "Ein Schaf fri\u00dft Gras, und der Hirte z\u00e4hlt: 17, 18, 19 \U0001f40f. "
) * 8

SHAPES = {
    "plain": {},
    "grouped, scaled rotary": {
        "n_kv_heads": 2,
        "rope_scaling": RopeScaling(factor=8.0, original_context=32),
    },
    "tied, one key-value head, wide heads": {
        "n_kv_heads": 1,
        "tie_embeddings": True,
        "head_dim": 24,
    },
    "llama 2": {"rope_theta": 10_000.0, "norm_eps": 1e-6},
}


def _config(vocab_size=96, **changes):
    values = {
        "vocab_size": vocab_size,
        "dim": 64,
        "n_layers": 2,
        "n_heads": 4,
        "n_kv_heads": 4,
        "ffn_dim": 96,
        "max_context": 64,
    }
    return ModelConfig(**(values | changes))


def _model(config, dtype=torch.float32):
    model = Transformer(config)
    init_weights(model, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:  # ones would hide a norm that ended up in the wrong place
                weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return model.to(dtype)


@pytest.fixture(scope="session")
def make_config():
    return _config


@pytest.fixture(scope="session")
def make_model():
    return _model


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def config(request):
    return _config(**request.param)


@pytest.fixture(scope="session")
def assert_same_weights():
    def check(ours, other):
        assert ours.config == other.config
        expected, actual = ours.state_dict(), other.state_dict()
        assert expected.keys() == actual.keys()
        for name, weight in expected.items():
            assert actual[name].dtype == weight.dtype, name
            assert torch.equal(actual[name], weight), name

    return check


@pytest.fixture(scope="session")
def byte_level():
    return train_bpe(
        [TEXT], vocab_size=320, special_tokens=("<|begin_of_text|>", "<|end_of_text|>")
    )


@pytest.fixture(scope="session")
def sentence_piece(tmp_path_factory):
    path = tmp_path_factory.mktemp("spm") / "tokenizer.model"
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.split(". ")),
        model_writer=trained,
        vocab_size=330,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path.write_bytes(trained.getvalue())
    return load(path)


@pytest.fixture(scope="session")
def train_on_text():
    """A model that has learnt a text by heart, so that its greedy choices are clear ones.

    ASCII only: llama.cpp's server does not report tokens that end within a character.
    """
    text = TEXT.encode("ascii", errors="ignore").decode()

    def train(tokenizer, **changes):
        torch.manual_seed(0)
        model = _model(_config(vocab_size=tokenizer.vocab_size, **changes))
        ids = torch.tensor(tokenizer.encode(text))
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        for _ in range(60):
            starts = torch.randint(0, len(ids) - 49, (8,)).tolist()
            rows = torch.stack([ids[start : start + 49] for start in starts])
            logits = model(rows[:, :-1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss.item() < 1.0
        return model.eval()

    return train
