"""Checkpoints: everything a run needs to go on as if it had never stopped.

In: model, optimizer, where the run stands. Out: directories `step-XXXXXXXX`, each whole or absent,
of which the last few are kept; tensors by torch.distributed.checkpoint, the rest as JSON.
Other parts of a run (a watch, an intervention) hand over their state as plain data.
Never: a pickle that runs code, a checkpoint under its final name before it is complete.
"""

import contextlib
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load as load_tensors
from torch.distributed.checkpoint.state_dict_saver import save as save_tensors

from herd.foundation import (
    UserError,
    atomic_directory,
    from_dict,
    read_json,
    remove_partials,
    to_dict,
    write_json,
)
from herd.training.plain_reader import PlainReader
from herd.training.saved_parts import Parts, put_back, take_apart, tensor_names
from herd.training.state import TrainState, random_state, set_random_state

STATE_FILE = "state.json"
NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainee:
    """What is trained and where: the things whose tensors a checkpoint holds.

    `parts` are other things with a state, by name; their tensors are loaded onto the CPU.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    parts: Parts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointStore:
    """The checkpoints of one run.

    `identity` says what the run is made of (tokenizer, data, ...), name by name; a checkpoint of
    another identity is refused.
    """

    directory: Path
    keep: int
    identity: Mapping[str, str]

    def save(self, trainee: Trainee, state: TrainState) -> Path:
        """Write a checkpoint, then remove the oldest beyond `keep`; return its path.

        Raises UserError when the disk is full; what was saved before stays.
        """
        path = self.directory / f"step-{state.step:08d}"
        if path.exists():
            return path
        try:
            with atomic_directory(path) as partial:
                _write(partial, trainee, state, self.identity)
        except UserError as error:
            raise UserError(f"{error} ({self.last_good()})") from error
        self._remove_old()
        return path

    def load(self, path: Path, trainee: Trainee) -> TrainState:
        """Put a checkpoint's tensors into the trainee and return where its run stood.

        Parts of the trainee that the checkpoint has no state of stay as they are (`part_names`).
        Raises UserError when it is damaged or of another identity; then nothing of the
        trainee can be relied on.
        """
        state = self.state_of(path)
        _read(path, trainee, _saved_record(path).get("parts", {}))
        return state

    def state_of(self, path: Path) -> TrainState:
        """Return where a checkpoint's run stood, without loading its tensors. Raises as `load`."""
        saved = _saved_record(path)
        _refuse_other_identity(path, saved["identity"], self.identity)
        return from_dict(TrainState, saved["state"], where=str(path / STATE_FILE))

    def part_names(self, path: Path) -> set[str]:
        """Return the names of the parts that a checkpoint has a state of."""
        return set(_saved_record(path).get("parts", {}))

    def latest(self) -> Path | None:
        """Return the checkpoint of the highest step, None if there is none."""
        paths = self.paths()
        return paths[-1] if paths else None

    def paths(self) -> list[Path]:
        """Return all complete checkpoints, the oldest first."""
        if not self.directory.is_dir():
            return []
        found = [path for path in self.directory.iterdir() if NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))

    def last_good(self) -> str:
        """Return a phrase that names the newest checkpoint, for messages."""
        latest = self.latest()
        return f"last good checkpoint: {latest}" if latest else "no checkpoint was saved yet"

    def remove_unfinished(self) -> None:
        """Remove what a killed process left half-written."""
        if self.directory.is_dir():
            remove_partials(self.directory)

    def remove(self, path: Path) -> None:
        """Remove a checkpoint, so that a kill leaves no half of it."""
        doomed = path.with_name(f".{path.name}.partial-removed")  # a name nobody looks for
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _remove_old(self) -> None:
        for path in self.paths()[: -self.keep]:
            self.remove(path)


def _saved_record(path: Path) -> dict[str, Any]:
    try:
        saved = read_json(path / STATE_FILE)
    except UserError as error:
        message = (
            f"{path} is damaged ({error.__cause__}); remove it to resume from the checkpoint before"
        )
        raise UserError(message) from error
    if not isinstance(saved, dict) or not {"state", "identity"} <= saved.keys():
        raise UserError(f"{path / STATE_FILE} is not a checkpoint's state; remove {path}")
    return saved


def _write(
    directory: Path, trainee: Trainee, state: TrainState, identity: Mapping[str, str]
) -> None:
    writer = FileSystemWriter(directory, sync_files=False)  # flushed with the whole directory
    outline, part_tensors = take_apart(trainee.parts)
    try:
        with _single_process_without_warning():
            save_tensors({**_tensors(trainee), **part_tensors}, storage_writer=writer)
    except CheckpointException as failure:
        raise _cause(failure) from failure
    record = {
        "state": to_dict(state),
        "parts": outline,
        "identity": dict(identity),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    write_json(directory / STATE_FILE, record)


def _read(path: Path, trainee: Trainee, outline: Mapping[str, Any]) -> None:
    reader = PlainReader(path)
    table = reader.read_metadata().state_dict_metadata
    _prepare_optimizer_state(trainee, table)
    outline = {name: state for name, state in outline.items() if name in trainee.parts}
    tensors = {**_tensors(trainee), **_empty_part_tensors(path, outline, table)}
    _refuse_other_shapes(path, tensors, table)
    try:
        with _single_process_without_warning():
            load_tensors(tensors, storage_reader=reader)
    except (Exception, CheckpointException) as error:  # torn files surface under many names
        cause = _cause(error) if isinstance(error, CheckpointException) else error
        reason = f"{type(cause).__name__}: {cause}".splitlines()[0][:200]
        raise UserError(
            f"{path} is damaged ({reason}); remove it to resume from the checkpoint before"
        ) from error
    random = {
        name.removeprefix("random."): tensor
        for name, tensor in tensors.items()
        if name.startswith("random.")
    }
    set_random_state(random, trainee.device)
    put_back(trainee.parts, outline, tensors)


def _empty_part_tensors(
    path: Path, outline: Mapping[str, Any], table: Mapping[str, Any]
) -> dict[str, Tensor]:
    names = tensor_names(outline)
    missing = [name for name in names if name not in table]
    if missing:
        raise UserError(
            f"{path} is damaged (it lacks {missing[0]}); remove it to resume from the checkpoint before"
        )
    return {
        name: torch.empty(table[name].size, dtype=table[name].properties.dtype) for name in names
    }


def _tensors(trainee: Trainee) -> dict[str, Any]:
    """Return every tensor of a run under one flat name; loading writes into these."""
    model = {f"model.{name}": tensor for name, tensor in trainee.model.state_dict().items()}
    optimizer = {
        f"optimizer.{name}.{key}": value
        for name, parameter in trainee.model.named_parameters()
        for key, value in trainee.optimizer.state.get(parameter, {}).items()
    }
    random = random_state(trainee.device)
    return {**model, **optimizer, **{f"random.{name}": value for name, value in random.items()}}


def _cause(failure: CheckpointException) -> BaseException:
    """Return what went wrong on the first rank; torch wraps it in a BaseException of its own.

    After a failed write torch closes its archive and complains about that instead; the operating
    system's refusal is what it was about.
    """
    first = next((error for error, _ in failure.failures.values()), failure)
    context: BaseException | None = first
    while context is not None and not isinstance(context, OSError):
        context = context.__context__
    return context or first


def _prepare_optimizer_state(trainee: Trainee, table: Mapping[str, Any]) -> None:
    """Make the optimizer's tensors that the checkpoint holds, as zeros of the right shape."""
    trainee.optimizer.state.clear()
    for name, parameter in trainee.model.named_parameters():
        prefix = f"optimizer.{name}."
        state: dict[str, Tensor] = {}
        for key, entry in table.items():
            if key.startswith(prefix) and "." not in key.removeprefix(prefix):
                state[key.removeprefix(prefix)] = _empty_like(parameter, entry)
        if state:
            trainee.optimizer.state[parameter] = state


def _empty_like(parameter: nn.Parameter, entry: Any) -> Tensor:
    if entry.size == parameter.size():
        return torch.zeros_like(parameter, dtype=entry.properties.dtype, requires_grad=False)
    return torch.zeros(entry.size, dtype=entry.properties.dtype, device=parameter.device)


def _refuse_other_shapes(
    path: Path, tensors: Mapping[str, Tensor], table: Mapping[str, Any]
) -> None:
    for name, tensor in tensors.items():
        found = getattr(table.get(name), "size", None)
        if found != tensor.size() and not name.startswith("random.cuda"):
            shape = list(found) if found is not None else "nothing"
            raise UserError(
                f"{path} holds {shape} for {name}, the model needs {list(tensor.size())}; "
                "resume with the recipe that the run was started with"
            )


def _refuse_other_identity(path: Path, saved: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    for name in sorted({*saved, *wanted}):
        if saved.get(name) != wanted.get(name):
            raise UserError(
                f"{path} was made with another {name} ({saved.get(name)}, now {wanted.get(name)}); "
                f"resume with the same {name} or start a new run with --out"
            )


@contextlib.contextmanager
def _single_process_without_warning() -> Iterator[None]:
    """Quiet torch: one process is no mistake, and damage is reported in our own words."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        warnings.filterwarnings("ignore", message="Detected pickle protocol")
        yield
