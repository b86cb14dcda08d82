"""What a download has brought so far, as two files beside the target.

In: the target's path. Out: the bytes so far, and the validator (ETag or date) of what they are part of.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DownloadPart:
    """The unfinished file, and beside it the validator (ETag or date) of what it is a part of."""

    path: Path
    validator_path: Path

    def n_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self) -> str:
        path = self.validator_path
        return path.read_text("ascii", "replace") if path.exists() else ""

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.validator_path.unlink(missing_ok=True)

    @classmethod
    def beside(cls, target: Path) -> "DownloadPart":
        """Return the part that belongs to `target`."""
        named = target.with_name
        return cls(named(f"{target.name}.part"), named(f"{target.name}.part.validator"))
