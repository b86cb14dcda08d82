"""The watch in other people's training loops, each one line to add.

In: Hugging Face's `Trainer`, Lightning's `Trainer`, torchtitan's optimizers. Out: an `AdamWatch` that
is fed, logged, saved and resumed with their checkpoints. Each library is imported only when asked for.
Never: a changed number, or an end of a training that was not told to stop on an alarm.
"""

from herd.stability.integrations.lightning_callback import lightning_watch
from herd.stability.integrations.torchtitan_loop import torchtitan_watch
from herd.stability.integrations.transformers_callback import transformers_watch

__all__ = ["lightning_watch", "torchtitan_watch", "transformers_watch"]
