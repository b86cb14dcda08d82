"""The directory of a curated corpus, in one place.

In: its path. Out: the path of each thing in it, and the lock that keeps a second run out.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from herd.data.curation.phases import Phase
from herd.foundation import RunDirectory

COMPLETE = "complete.json"


@dataclass(frozen=True, slots=True)
class CurationDirectory:
    """Paths below `--out DIR`."""

    path: Path

    @property
    def recipe_path(self) -> Path:
        """Sources, stages, versions, settings and the digests of the files these name."""
        return self.path / "recipe.json"

    @property
    def plan_path(self) -> Path:
        """How reading is cut into tasks: a source that changes later is seen by it."""
        return self.path / "plan.json"

    @property
    def manifest_path(self) -> Path:
        """Lineage, funnel and digests; written last: its presence says that all is done."""
        return self.path / "manifest.json"

    @property
    def samples_path(self) -> Path:
        """Excerpts of what each stage dropped, changed and kept."""
        return self.path / "samples.json"

    @property
    def timings_path(self) -> Path:
        """Seconds and rates by phase: the only file that differs from run to run."""
        return self.path / "timings.json"

    @property
    def shards_path(self) -> Path:
        """`train/` and `held_out/`, packed."""
        return self.path / "shards"

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer that was trained for the shards."""
        return self.path / "tokenizer"

    def phase_path(self, phase: Phase) -> Path:
        """Where a phase writes its parts."""
        return self.path / "phases" / phase.directory_name

    def ruling_path(self, phase: Phase) -> Path:
        """What the stages that begin a phase decided for the whole corpus."""
        return self.path / "rulings" / phase.directory_name

    def phase_marker(self, phase: Phase) -> Path:
        """Written when all parts of a phase are there; names them in order."""
        return self.phase_path(phase) / COMPLETE

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes out. Raises UserError when one is at work here."""
        return RunDirectory(self.path).locked()
