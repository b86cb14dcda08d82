"""A disk that fills up while an export is written: one clear line, and nothing left behind."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, signal, sys
import torch
from herd.foundation import UserError
from herd.model import ModelConfig, Transformer, init_weights, save_gguf, save_hf, save_meta

class Vocabulary:
    vocab_size = 12
    def gguf_metadata(self):
        return {"tokenizer.ggml.tokens": [f"t{i}" for i in range(12)]}

config = ModelConfig(vocab_size=12, dim=128, n_layers=4, n_heads=2, n_kv_heads=1, ffn_dim=512, max_context=8)
model = Transformer(config)
init_weights(model, seed=0)
# A limit on file size is a disk that is full after 300 kB: writing on gives EFBIG instead of ENOSPC.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
form, path = sys.argv[1:]
try:
    if form == "hf":
        save_hf(model, path)
    elif form == "meta":
        save_meta(model, path)
    else:
        save_gguf(model, path, tokenizer=Vocabulary(), kind="f32")
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("form", ["hf", "meta", "gguf"])
def test_a_full_disk_is_a_user_error_and_leaves_nothing(tmp_path, form):
    target = tmp_path / "export"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, form, str(target)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "disk" in done.stdout and done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
