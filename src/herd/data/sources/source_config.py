"""What a source is: a location, which of its files, and what is known of them beforehand."""

from dataclasses import dataclass

from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceConfig:
    """One source. Patterns are matched against the path below the location and each of its ends.

    `include` replaces the rule that only endings known to be text are read; `text_field` names the
    text in records, `meta_fields` those that are taken along into `Document.meta`. `language` (a BCP
    47 tag) and `topic` label every document of the source.
    """

    location: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    text_field: str = "text"
    meta_fields: tuple[str, ...] = ("url", "date")
    language: str = ""
    topic: str = ""

    def __post_init__(self) -> None:
        """Refuse what names nothing."""
        for name in ("location", "text_field"):
            if not getattr(self, name):
                raise UserError(f"{name} of a source is empty")
        if self.text_field in self.meta_fields:
            raise UserError(f"meta_fields of a source holds its text_field, {self.text_field!r}")
