"""The initial stage: a Llama from random weights to its horizon, on packed shards.

In: a model config, a stage config, shards, a run directory. Out: the trained model, and in the
run directory checkpoints, metrics and curves.
Never: a loop of its own; this wires `herd.training` to the model and the data.
Source: Llama 2 paper, section 2.2; Llama 3 paper, section 3.4.1.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from herd.data import Batch, Loader, ShardReader
from herd.foundation import (
    MetricsLog,
    RunDirectory,
    UserError,
    default_device,
    detect_hardware,
    format_bytes,
    format_count,
    load_or_measure_ceilings,
    truncate_metrics,
)
from herd.model import (
    LossSum,
    ModelConfig,
    Transformer,
    flops_per_token,
    init_weights,
    parameter_count,
)
from herd.pretraining.run_log import RunLog
from herd.tokenizer import Tokenizer
from herd.training import (
    CheckpointStore,
    HeldOut,
    Hook,
    LoopConfig,
    LossFunction,
    OptimizerConfig,
    Outcome,
    Precision,
    Speedometer,
    StepMetrics,
    TensorBoardLog,
    Trainee,
    TrainState,
    Verdict,
    build_optimizer,
    every_tokens,
    longest_context,
    sampling_hook,
    stop_on_signals,
    train,
    validation_hook,
)

BYTES_PER_PARAMETER = 16  # float32 weight, gradient and AdamW's two moments

MakeGenerate = Callable[[Transformer, Tokenizer], Callable[[str], str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class InitialConfig:
    """The stage in numbers. What happens `every_tokens` also happens at the start and the end.

    `recompute` keeps only the input of each layer for the backward pass: less memory, about a
    third more arithmetic. `compile` hands the loss to torch.compile, which needs a C++ compiler on
    a CPU. `sample_prompts` are continued as training goes, for the report.
    """

    loop: LoopConfig
    optimizer: OptimizerConfig
    seed: int = 0
    recompute: bool = False
    compile: bool = False
    validate_every_tokens: int = 0
    validate_tokens: int = 0
    sample_every_tokens: int = 0
    sample_prompts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 <= self.seed < 2**63:
            raise UserError(f"initial.seed must be 0 to 2**63 - 1: {self.seed}")
        for name in ("validate_every_tokens", "validate_tokens", "sample_every_tokens"):
            if getattr(self, name) < 0:
                raise UserError(f"initial.{name} must not be negative: {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedText:
    """What to train on: shards and the tokenizer that they were packed with."""

    train: ShardReader
    held_out: ShardReader | None
    tokenizer: Tokenizer


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
    store = _checkpoint_store(config, text, run)
    state = _resume(store, trainee, run, log)
    source = Loader(text.train, context=longest_context(config.loop.batch), seed=config.seed)
    with _logs(run, state, log) as record, stop_on_signals() as stop:
        outcome = train(
            trainee,
            source,
            loss,
            config.loop,
            state=state,
            store=store,
            record=record,
            speed=_speedometer(model_config, config, device),
            hooks=[
                *_hooks(config, text, model, loss, device, make_generate),
                _doubt_the_ceiling(log),
                stop,
            ],
        )
    return model, outcome


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
    optimizer = build_optimizer(model, config.optimizer)
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
        )

    return torch.compile(loss) if config.compile else loss


def _checkpoint_store(
    config: InitialConfig, text: PackedText, run: RunDirectory
) -> CheckpointStore:
    return CheckpointStore(
        directory=run.checkpoints_path,
        keep=config.loop.keep_checkpoints,
        identity={
            "tokenizer": text.tokenizer.fingerprint[:16],
            "training text": text.train.index.sha256[:16],
        },
    )


def _resume(store: CheckpointStore, trainee: Trainee, run: RunDirectory, log: RunLog) -> TrainState:
    """Put the run where its last checkpoint left it, or at the start."""
    store.remove_unfinished()
    latest = store.latest()
    state = store.load(latest, trainee) if latest else TrainState()
    # What was logged beyond the checkpoint happens again now.
    truncate_metrics(run.metrics_path, after_step=state.step)
    if latest:
        log.say(f"resuming after step {state.step}, {format_count(state.tokens)} tokens")
    return state


@contextlib.contextmanager
def _logs(
    run: RunDirectory, state: TrainState, log: RunLog
) -> Iterator[Callable[[dict[str, Any]], None]]:
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(MetricsLog(run.metrics_path)).write]
        try:
            board = TensorBoardLog(run.tensorboard_path, resume_tokens=state.tokens)
            stack.callback(board.close)
            writers.append(board.write)
        except ImportError:
            log.say("TensorBoard is not installed (pip install 'llama-herd[train]'); going without")

        def record(values: dict[str, Any]) -> None:
            for write in writers:
                write(values)

        yield record


def _hooks(
    config: InitialConfig,
    text: PackedText,
    model: Transformer,
    loss: LossFunction,
    device: torch.device,
    make_generate: MakeGenerate | None,
) -> Sequence[Hook]:
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


def _doubt_the_ceiling(log: RunLog) -> Hook:
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


def _speedometer(
    model_config: ModelConfig, config: InitialConfig, device: torch.device
) -> Speedometer:
    ceilings = load_or_measure_ceilings(device)
    dtype = "bfloat16" if config.loop.precision is Precision.BFLOAT16 else "float32"
    return Speedometer(
        flops_per_token=flops_per_token(model_config, longest_context(config.loop.batch)),
        ceiling_flops_per_s=ceilings.matmul_flops_per_s.get(dtype),
    )
