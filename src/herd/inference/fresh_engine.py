"""The engine of a model whose weights may change under it, as in training between two answers.

In: a model, how to serve it. Out: an engine that has seen the weights as they are now.
Never: a stale answer; an engine has packed weights and cached keys and values of the old ones.
"""

from __future__ import annotations

from collections.abc import Callable

from herd.inference.engine import Engine
from herd.inference.engine_config import EngineConfig
from herd.inference.local_engine import open_engine
from herd.inference.speculation import Proposer
from herd.model import Transformer
from herd.tokenizer import Tokenizer


class FreshEngine:
    """`current` is made when it is first asked for, and anew when a weight has changed in place.

    Answers under way go on with the engine they began with. `new_proposer` is called for each.
    """

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        *,
        config: EngineConfig | None = None,
        cache_bytes: int | None = None,
        new_proposer: Callable[[], Proposer] | None = None,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._config = config
        self._cache_bytes = cache_bytes
        self._new_proposer = new_proposer
        self._made: tuple[int, Engine] | None = None  # with the state of the weights

    @property
    def current(self) -> Engine:
        """Return the engine for the weights as they are."""
        state = weights_state(self._model)
        if self._made is None or self._made[0] != state:
            self._made = None  # its memory is free before the next one takes as much
            self._made = state, self._open()
        return self._made[1]

    def _open(self) -> Engine:
        return open_engine(
            self._model,
            self._tokenizer,
            config=self._config,
            cache_bytes=self._cache_bytes,
            proposer=self._new_proposer() if self._new_proposer else None,
        )


def weights_state(model: Transformer) -> int:
    """Return a number that changes whenever a weight is changed in place or replaced.

    Torch counts changes of a tensor, except through `.data` and of tensors made in inference mode.
    """
    tensors = [*model.parameters(), *model.buffers()]
    return hash(tuple((t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors))
