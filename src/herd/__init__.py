"""Herd: the Llama 2 and Llama 3 recipe as one tested program."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from herd.language_model import LanguageModel, load

__all__ = ["LanguageModel", "load"]


def __getattr__(name: str) -> Any:
    """Import the front door only when it is used: `import herd` stays instant."""
    if name in __all__:
        from herd.foundation import collector_paused

        with collector_paused():
            from herd import language_model

        return getattr(language_model, name)
    raise AttributeError(f"module 'herd' has no attribute {name!r}")
