"""TensorBoard's files hold the log's numbers, and a resumed run's replace the old ones."""

import pytest

from herd.training import TensorBoardLog

pytest.importorskip("tensorboard")


def read(directory) -> dict[int, float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(directory))
    events.Reload()
    return {event.step: event.value for event in events.Scalars("loss_nats")}


def test_curves_over_tokens_and_what_was_overtaken_is_hidden(tmp_path) -> None:
    first = TensorBoardLog(tmp_path, resume_tokens=0)
    for step in (1, 2, 3):
        first.write({"step": step, "tokens": step * 10, "loss_nats": 9.0})
    first.write({"tokens": 30, "samples": [{"prompt": "a", "text": "b"}]})
    first.close()
    second = TensorBoardLog(tmp_path, resume_tokens=10)
    second.write({"step": 2, "tokens": 20, "loss_nats": 5.0})
    second.close()
    assert read(tmp_path) == {10: 9.0, 20: 5.0}
