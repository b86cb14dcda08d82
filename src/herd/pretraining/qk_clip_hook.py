"""QK-clip in a run: measure the attention logits of a small sample, then clip the heads that exceed.

In: the clip, the Llama, the source of batches. Out: a hook that, every so many steps, runs the start
of the last trained sequence through the model and shrinks query rows in place.
Never: work inside the training step, or a sample that depends on anything but the data position.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from herd.data import Batch
from herd.model import Attention
from herd.stability import QKClip
from herd.training import BatchSource, StepMetrics, TrainState, Verdict

SAMPLE_TOKENS = 512  # a head's logits are a square of this


class QKClipHook:
    """The hook; `clip` carries its own state."""

    def __init__(
        self,
        clip: QKClip,
        model: nn.Module,
        source: BatchSource,
        device: torch.device,
        every_steps: int,
    ) -> None:
        self._clip = clip
        self._model = model
        self._source = source
        self._device = device
        self._every_steps = every_steps

    def __call__(self, state: TrainState, metrics: StepMetrics) -> Verdict:
        """Measure and clip, where it is due."""
        if state.step % self._every_steps:
            return Verdict()
        batch = self._source.batch(state.next_sequence - 1, 1).to(self._device)
        logits_H = largest_attention_logits(self._model, batch)
        modules = dict(self._model.named_modules())
        weights = {f"{name}.q.weight": modules[name].q.weight for name in logits_H}
        maxima = {f"{name}.q.weight": maxima_H for name, maxima_H in logits_H.items()}
        self._clip.clip(weights, maxima, step=state.step)
        largest = max(float(maxima_H.max()) for maxima_H in maxima.values())
        return Verdict(record={"attention_logit_max": largest})


def largest_attention_logits(model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
    """Return the largest attention logit of each query head, shape [H], by the attention's name.

    Taken over the first `SAMPLE_TOKENS` of every sequence in the batch, in the model's own precision.
    """
    found: dict[str, Tensor] = {}

    def measuring(name: str):  # type: ignore[no-untyped-def]
        def measure(module: Attention, inputs: tuple) -> None:  # type: ignore[type-arg]
            x_BTD, rope, documents, _ = inputs
            found[name] = module.largest_logits_H(x_BTD, rope, documents)

        return measure

    handles = [
        module.register_forward_pre_hook(measuring(name))
        for name, module in model.named_modules()
        if isinstance(module, Attention)
    ]
    here = slice(None), slice(None, SAMPLE_TOKENS)
    try:
        with torch.no_grad():
            model.hidden(  # type: ignore[operator]
                batch.tokens_BT[here],
                segment_BT=batch.segment_BT[here],
                position_BT=batch.position_BT[here],
            )
    finally:
        for handle in handles:
            handle.remove()
    return found
