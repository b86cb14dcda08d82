"""How closely a run is watched: how often, how many coordinates, over how many ranks."""

from dataclasses import dataclass

from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchConfig:
    """How closely to watch.

    `every_steps` 10 is the sampled level; a run with more to it than cold layers is then watched at
    every step. `max_coordinates` of each tensor are watched, always the same; None is all of them.
    `distributed` adds up over the ranks of torch.distributed where that runs.
    """

    every_steps: int = 1
    max_coordinates: int | None = 8192
    distributed: bool = True

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("every_steps", "max_coordinates"):
            value = getattr(self, name)
            if name == "max_coordinates" and value is None:
                continue
            if not isinstance(value, int) or value < 1:
                raise UserError(f"watch.{name} must be a whole number of at least 1: {value}")
