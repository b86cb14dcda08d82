"""How an engine shares its steps among requests.

In: numbers. Out: `EngineConfig`, checked; `EngineCounters`, what it has done so far.
Never: the size of the cache, which whoever builds the runner decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from herd.foundation import UserError
from herd.inference.request_checks import check_count


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineConfig:
    """`step_tokens` bounds the tokens of one step, hence how long an answer under way has to wait
    for others' prompts. `max_running` sequences run together (None: half as many as a step has
    tokens, so that prompts have the other half), `max_waiting` requests wait, more are refused.
    Fewer running ones answer sooner each, more answer more in all. `n_proposals` tokens at most are
    guessed ahead where there is a proposer.
    """

    step_tokens: int = 512
    max_running: int | None = None
    max_waiting: int = 1024
    prefix_caching: bool = True
    n_proposals: int = 4

    def __post_init__(self) -> None:
        """Raise UserError for a number that lets nothing run."""
        check_count("step_tokens", self.step_tokens, least=1)
        check_count("max_running", self.running_limit, least=1)
        check_count("max_waiting", self.max_waiting, least=1)
        check_count("n_proposals", self.n_proposals, least=0)
        if not isinstance(self.prefix_caching, bool):
            raise UserError(f"prefix_caching is {self.prefix_caching!r}: give True or False")
        if self.step_tokens < self.running_limit:
            raise UserError(
                f"step_tokens is {self.step_tokens}, but max_running, {self.running_limit}, may need "
                "a token each: raise the one or lower the other"
            )

    @property
    def running_limit(self) -> int:
        """Return how many sequences run together at most."""
        return max(1, self.step_tokens // 2) if self.max_running is None else self.max_running


@dataclass(kw_only=True, slots=True)
class EngineCounters:
    """What an engine has done since it was made. `n_computed_tokens` includes what was computed
    again after a preemption, and proposals that were rejected.
    """

    n_steps: int = 0
    n_computed_tokens: int = 0
    n_cached_tokens: int = 0
    n_new_tokens: int = 0
    n_preemptions: int = 0
    n_proposed_tokens: int = 0
    n_accepted_tokens: int = 0
