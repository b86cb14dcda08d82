"""What a run of pre-training does beside its steps: validation, samples, doubt about its speed.

In: the stage's config, its text and model. Out: hooks for the loop.
"""

from collections.abc import Sequence

import torch

from herd.data import Loader, ShardReader
from herd.model import Transformer
from herd.pretraining.initial_config import InitialConfig, MakeGenerate, PackedText
from herd.pretraining.run_log import RunLog
from herd.training import (
    HeldOut,
    Hook,
    LossFunction,
    StepMetrics,
    TrainState,
    Verdict,
    every_tokens,
    longest_context,
    sampling_hook,
    validation_hook,
)


def side_hooks(
    config: InitialConfig,
    text: PackedText,
    model: Transformer,
    loss: LossFunction,
    device: torch.device,
    make_generate: MakeGenerate | None,
) -> Sequence[Hook]:
    """Return the hooks that the config asks for; `make_generate` gives what continues prompts."""
    hooks: list[Hook] = []
    horizon = config.loop.horizon_tokens
    if text.held_out is not None and config.validate_tokens:
        hook = validation_hook(
            _held_out(config, text.held_out),
            loss,
            precision=config.loop.precision,
            device=device,
        )
        hooks.append(every_tokens(config.validate_every_tokens, horizon, hook))
    if make_generate is not None and config.sample_prompts:
        generate = make_generate(model, text.tokenizer)
        hook = sampling_hook(generate, config.sample_prompts)
        hooks.append(every_tokens(config.sample_every_tokens, horizon, hook))
    return hooks


def doubt_the_ceiling(log: RunLog) -> Hook:
    """Return a hook that says once when the speed is above what was measured to be possible."""
    said: list[int] = []

    def doubt(state: TrainState, metrics: StepMetrics) -> Verdict:
        if metrics.mfu is not None and metrics.mfu > 1 and not said:
            said.append(state.step)
            log.say(
                f"MFU is {metrics.mfu:.0%}, so the saved ceiling was measured on a busy machine; "
                "`herd doctor` measures it again"
            )
        return Verdict()

    return doubt


def _held_out(config: InitialConfig, reader: ShardReader) -> HeldOut:
    """Take the first sequences of a fixed order, so that every validation sees the same text."""
    context = min(longest_context(config.loop.batch), reader.n_tokens - 1)
    source = Loader(reader, context=context, seed=0)
    wanted = max(config.validate_tokens // context, 1)
    return HeldOut(
        source=source,
        n_sequences=min(wanted, source.sequences_per_epoch),
        batch_sequences=max(config.loop.micro_batch_tokens // context, 1),
        bytes_per_token=reader.n_bytes / reader.n_tokens,
    )
