"""The initial stage: a Llama from random weights to its horizon, on packed shards.

In: a model config, a stage config, shards, a run directory. Out: the trained model, and in the
run directory checkpoints, metrics, the watch's log and curves.
Never: a loop of its own; this wires `herd.training` to the model and the data.
Source: Llama 2 paper, section 2.2; Llama 3 paper, section 3.4.1.
"""

import math
from dataclasses import replace

import torch

from herd.data import Batch, Loader
from herd.foundation import (
    RunDirectory,
    UserError,
    default_device,
    detect_hardware,
    format_bytes,
    format_count,
    load_or_measure_ceilings,
)
from herd.model import (
    LossSum,
    ModelConfig,
    Transformer,
    flops_per_token,
    init_weights,
    parameter_count,
)
from herd.pretraining.guarded_run import guarded
from herd.pretraining.initial_config import InitialConfig, MakeGenerate, PackedText
from herd.pretraining.run_log import RunLog
from herd.pretraining.run_state import checkpoint_store, open_logs, resume, rollbacks_of, settle
from herd.pretraining.side_hooks import doubt_the_ceiling, side_hooks
from herd.training import (
    LoopConfig,
    LossFunction,
    Outcome,
    Speedometer,
    Trainee,
    build_optimizer,
    is_bfloat16,
    longest_context,
    run_with_rollbacks,
    stop_on_signals,
    train,
)

BYTES_PER_PARAMETER = 16  # float32 weight, gradient and AdamW's two moments


def train_initial(
    model_config: ModelConfig,
    config: InitialConfig,
    text: PackedText,
    run: RunDirectory,
    log: RunLog,
    *,
    make_generate: MakeGenerate | None = None,
) -> tuple[Transformer, Outcome]:
    """Train to the horizon or until a signal, from the run's last checkpoint if it has one.

    `make_generate` gives the function that continues the sample prompts as training goes.
    Raises UserError when model and text do not fit together or the machine is too small.
    """
    device = default_device()
    check_fit(model_config, config, device)
    check_vocabulary(model_config, text)
    torch.manual_seed(config.seed)
    trainee = _build(model_config, config, device)
    model = trainee.model
    assert isinstance(model, Transformer)
    loss = _loss_function(model, config)
    store = checkpoint_store(config, text, run)
    rollbacks = rollbacks_of(config, store, run)
    source = Loader(text.train, context=longest_context(config.loop.batch), seed=config.seed)
    side = [*side_hooks(config, text, model, loss, device, make_generate), doubt_the_ceiling(log)]

    with stop_on_signals() as stop:

        def attempt() -> Outcome:
            course = settle(rollbacks, store)
            with guarded(trainee, config, source, rollbacks, course, run, log) as guards:
                state = resume(store, guards.trainee, log)
                with open_logs(run, state, log) as record:
                    return train(
                        guards.trainee,
                        source,
                        loss,
                        loop_config(config),
                        state=state,
                        store=store,
                        record=record,
                        speed=_speedometer(model_config, config, device),
                        hooks=[*guards.hooks, *side, stop],
                        safeguards=guards.safeguards,
                    )

        if config.interventions.rollback:
            return model, run_with_rollbacks(attempt, rollbacks, log.say)
        return model, attempt()


def loop_config(config: InitialConfig) -> LoopConfig:
    """Return the loop's config; ZClip and AdaGC clip in its place, and must see whole gradients."""
    clips_itself = config.interventions.zclip or config.interventions.adagc
    return replace(config.loop, clip_norm=math.inf) if clips_itself else config.loop


def check_fit(model_config: ModelConfig, config: InitialConfig, device: torch.device) -> None:
    """Raise UserError when model, stage and machine do not fit together; needs no text yet."""
    longest = longest_context(config.loop.batch)
    if longest > model_config.max_context:
        raise UserError(
            f"batch.context is {longest}, model.max_context only {model_config.max_context}"
        )
    n_parameters = parameter_count(model_config)
    needed = n_parameters * BYTES_PER_PARAMETER
    present = _memory_bytes(device)
    if needed > present:
        raise UserError(
            f"training {format_count(n_parameters)} parameters takes {format_bytes(needed)} before "
            f"any activation, this {device.type} has {format_bytes(present)}; choose a smaller model"
        )


def check_vocabulary(model_config: ModelConfig, text: PackedText) -> None:
    """Raise UserError when the text has ids that the model has no row for."""
    vocabulary = text.train.index.vocab_size
    if vocabulary > model_config.vocab_size:
        raise UserError(
            f"the text was packed with {vocabulary} tokens, model.vocab_size is "
            f"{model_config.vocab_size}; set it to {vocabulary} or train a smaller tokenizer"
        )


def _memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return detect_hardware().memory_bytes


def _build(model_config: ModelConfig, config: InitialConfig, device: torch.device) -> Trainee:
    with device:
        model = Transformer(model_config)
    init_weights(model, seed=config.seed)
    optimizer = build_optimizer(model, config.optimizer, config.interventions)
    return Trainee(model=model, optimizer=optimizer, device=device)


def _loss_function(model: Transformer, config: InitialConfig) -> LossFunction:
    def loss(batch: Batch) -> LossSum:
        return model.loss(
            batch.tokens_BT,
            batch.targets_BT,
            loss_mask_BT=batch.loss_mask_BT,
            segment_BT=batch.segment_BT,
            position_BT=batch.position_BT,
            recompute=config.recompute and torch.is_grad_enabled(),
            # Validation reports the plain loss.
            z_loss=config.interventions.z_loss if torch.is_grad_enabled() else 0.0,
        )

    return torch.compile(loss) if config.compile else loss


def _speedometer(
    model_config: ModelConfig, config: InitialConfig, device: torch.device
) -> Speedometer:
    ceilings = load_or_measure_ceilings(device)
    dtype = "bfloat16" if is_bfloat16(config.loop.precision, device) else "float32"
    return Speedometer(
        flops_per_token=flops_per_token(model_config, longest_context(config.loop.batch)),
        ceiling_flops_per_s=ceilings.matmul_flops_per_s.get(dtype),
    )
