"""The layout of a run on disk, in one place.

In: the directory of a run. Out: the path of each thing in it, and a lock that keeps a second
process out. Everything in it is written to a temporary name and renamed.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from herd.foundation.errors import UserError
from herd.foundation.files import explain_write_errors


@dataclass(frozen=True)
class RunDirectory:
    """Paths below `runs/NAME/`."""

    path: Path

    @property
    def recipe_path(self) -> Path:
        """The resolved recipe, which reloads equal."""
        return self.path / "recipe.json"

    @property
    def environment_path(self) -> Path:
        """Versions, commit and hardware."""
        return self.path / "environment.json"

    @property
    def corpus_path(self) -> Path:
        """The curated corpus, with a decision for every document and a page about it."""
        return self.path / "corpus"

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer that was trained on the corpus, or a copy of the one that was named."""
        return self.path / "tokenizer"

    @property
    def shards_path(self) -> Path:
        """The packed text: `train` and `held_out`."""
        return self.path / "shards"

    @property
    def metrics_path(self) -> Path:
        """One JSON object per logged step."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard_path(self) -> Path:
        """TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def checkpoints_path(self) -> Path:
        """Directories named `step-XXXXXXXX`."""
        return self.path / "checkpoints"

    @property
    def model_path(self) -> Path:
        """The exported model in the Hugging Face layout."""
        return self.path / "model"

    @property
    def report_path(self) -> Path:
        """The self-contained report."""
        return self.path / "report.html"

    @property
    def log_path(self) -> Path:
        """What was said on the terminal."""
        return self.path / "log.txt"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of this run while the block lasts.

        The lock goes with the process, however that ends. Raises UserError when it is taken.
        """
        with explain_write_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            message = f"another process is working in {self.path}; wait for it or choose --out"
            raise UserError(message) from None
        try:
            yield
        finally:
            os.close(handle)
