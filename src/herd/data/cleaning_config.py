"""What is taken out of a corpus of books, plays and code, and how much of it is held out.

In: a few settings. Out: the stages of curation that they stand for, in their order.
"""

from dataclasses import dataclass

from herd.data.cleaning import EditionsStage, LicenceStage, MinCharsStage
from herd.data.dedup import ExactDedup
from herd.data.extract import ExtractStage
from herd.data.mix import HeldOutStage
from herd.data.stage import Stage
from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class CleaningConfig:
    """What is taken out, and how much is held out of training.

    `held_out_fraction` is a share of documents, 0 for none; a text shorter than `min_chars` is
    dropped.
    """

    strip_licences: bool = True
    one_edition: bool = True
    min_chars: int = 1
    held_out_fraction: float = 0.05

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        if not 0 <= self.held_out_fraction <= 0.5:
            raise UserError(f"held_out_fraction is {self.held_out_fraction}; it must be 0 to 0.5")
        if self.min_chars < 1:
            raise UserError(f"min_chars is {self.min_chars}; it must be at least 1")


def cleaning_stages(config: CleaningConfig) -> tuple[Stage, ...]:
    """Return the stages: pages to text, then what the settings ask for."""
    return (
        ExtractStage(strip_markdown=False, repair=False),
        *((LicenceStage(),) if config.strip_licences else ()),
        MinCharsStage(min_chars=config.min_chars),
        ExactDedup(),
        *((EditionsStage(),) if config.one_edition else ()),
        *((HeldOutStage(fraction=config.held_out_fraction),) if config.held_out_fraction else ()),
    )
