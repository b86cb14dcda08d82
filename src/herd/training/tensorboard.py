"""TensorBoard's event files, written beside the metrics log where TensorBoard is installed.

In: the records of the metrics log. Out: curves and texts in a directory.
"""

from pathlib import Path
from typing import Any

UNPLOTTED = {"step", "tokens"}


class TensorBoardLog:
    """Writes each record's numbers as curves over tokens, its samples as text."""

    def __init__(self, directory: Path, *, resume_tokens: int) -> None:
        """Open `directory`; what an earlier process wrote beyond `resume_tokens` is hidden.

        Raises ImportError where TensorBoard is not installed (extra `train`).
        """
        from torch.utils.tensorboard import SummaryWriter

        purge = resume_tokens + 1 if resume_tokens else None
        self._writer = SummaryWriter(str(directory), purge_step=purge)

    def write(self, record: dict[str, Any]) -> None:
        """Write one record at its token count."""
        tokens = record.get("tokens", 0)
        for name, value in record.items():
            if isinstance(value, int | float) and name not in UNPLOTTED:
                self._writer.add_scalar(name, value, tokens)
        for index, sample in enumerate(record.get("samples", ())):
            text = f"**{sample['prompt']}**{sample['text']}"
            self._writer.add_text(f"sample-{index}", text, tokens)

    def close(self) -> None:
        """Write out what is buffered."""
        self._writer.close()
