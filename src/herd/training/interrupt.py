"""SIGTERM and Ctrl-C, turned into a request to save and leave.

In: signals. Out: a hook whose verdict stops the run after the step at hand, when all is saved.
A second signal of the same kind acts at once, as it would have without Herd.
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from herd.training.hooks import Hook, Verdict
from herd.training.metrics import StepMetrics
from herd.training.state import TrainState

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Hook]:
    """Yield a hook that stops the run, naming the signal, once one has come.

    Works in the main thread only, where Python delivers signals.
    """
    received: list[signal.Signals] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        signal.signal(number, before[signal.Signals(number)])

    def stop_if_asked(state: TrainState, metrics: StepMetrics) -> Verdict:
        return Verdict(stop=received[0].name if received else "")

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield stop_if_asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
