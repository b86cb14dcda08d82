"""A disk that fills up while an export is written: one clear line, and nothing left behind."""

import subprocess
import sys

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
saves = {
    "hf": lambda path: save_hf(model, path),
    "meta": lambda path: save_meta(model, path),
    "gguf": lambda path: save_gguf(model, path, tokenizer=Vocabulary(), kind="f32"),
}
for name, save in saves.items():
    try:
        save(sys.argv[1] + "/" + name)
    except UserError as error:
        print(error)
"""


def test_a_full_disk_is_a_user_error_for_each_format_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all("disk" in line for line in lines)
    assert list(tmp_path.iterdir()) == []
