"""The watch inside the real `transformers.Trainer`."""

import builtins
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from herd.foundation import UserError
from herd.stability import AdamWatch, Level, WatchConfig, WatchVerdict, read_watch_log
from herd.stability.integrations import transformers_callback, transformers_watch

transformers = pytest.importorskip("transformers")
STEPS, ACCUMULATED = 6, 2


class Tokens(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Random token sequences, always the same."""

    def __init__(self) -> None:
        self.rows = torch.randint(0, 32, (64, 8), generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.rows[index], "labels": self.rows[index]}


def tiny_llama() -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=16,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def trainer(folder: Path, callbacks: list[Any], **changes: Any) -> Any:
    settings = {
        "max_steps": STEPS, "per_device_train_batch_size": 2, "learning_rate": 1e-3, "use_cpu": True,
        "gradient_accumulation_steps": ACCUMULATED, "report_to": "none", "save_strategy": "no",
        "disable_tqdm": True, "logging_steps": 1, "seed": 1, "dataloader_pin_memory": False,
    }  # fmt: skip
    arguments = transformers.TrainingArguments(output_dir=str(folder), **(settings | changes))
    return transformers.Trainer(
        model=tiny_llama(), args=arguments, train_dataset=Tokens(), callbacks=callbacks
    )


def weights(model: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in model.parameters()]


def assert_equal_weights(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    assert all(torch.equal(a, b) for a, b in zip(weights(ours), weights(theirs), strict=True))


@pytest.mark.parametrize("optim", ["adamw_torch", "adamw_torch_fused"])
def test_the_weights_are_the_same_with_and_without_the_watch(tmp_path: Path, optim: str) -> None:
    watched = trainer(tmp_path / "a", [transformers_watch()], optim=optim)
    plain = trainer(tmp_path / "b", [], optim=optim)
    watched.train()
    plain.train()
    assert_equal_weights(watched.model, plain.model)


def test_there_is_a_line_and_a_verdict_for_every_optimizer_step(tmp_path: Path) -> None:
    callback = transformers_watch()
    trainer(tmp_path, [callback]).train()
    header, records = read_watch_log(tmp_path / "stability.jsonl")
    assert "model.layers.1" in header["layers"]
    assert [record["step"] for record in records] == list(range(1, STEPS + 1))
    assert callback.watch.verdict.step == STEPS


@pytest.mark.parametrize("accumulated", [1, 2, 3])
def test_loss_is_what_the_trainer_logs(tmp_path: Path, accumulated: int) -> None:
    run = trainer(tmp_path, [transformers_watch()], gradient_accumulation_steps=accumulated)
    run.train()
    _, records = read_watch_log(tmp_path / "stability.jsonl")
    logged = [entry["loss"] for entry in run.state.log_history if "loss" in entry]
    assert [record["loss_nats"] for record in records] == pytest.approx(logged, rel=1e-3)


def test_gradient_norm_is_what_the_trainer_logs_where_it_does_not_clip(tmp_path: Path) -> None:
    run = trainer(tmp_path, [transformers_watch()], max_grad_norm=0.0)
    run.train()
    _, records = read_watch_log(tmp_path / "stability.jsonl")
    logged = [entry["grad_norm"] for entry in run.state.log_history if "grad_norm" in entry]
    assert [record["grad_norm"] for record in records] == pytest.approx(logged, rel=1e-3)


@pytest.mark.parametrize("restores_callbacks", [False, True])
def test_a_resumed_training_goes_on_watching_where_it_was(
    tmp_path: Path, restores_callbacks: bool
) -> None:
    through = trainer(tmp_path / "a", [transformers_watch()])
    through.train()
    folder, saving = tmp_path / "b", {"save_strategy": "steps", "save_steps": 4}
    trainer(folder, [transformers_watch()], **saving).train()
    saved = json.loads((folder / "checkpoint-4" / "trainer_state.json").read_text())
    entry = saved["stateful_callbacks"]["AdamWatchCallback"]
    assert entry["attributes"]["saved"]["step"] == 4
    resumed = trainer(
        folder, [transformers_watch()], restore_callback_states_from_checkpoint=restores_callbacks
    )
    resumed.train(resume_from_checkpoint=str(folder / "checkpoint-4"))
    assert_equal_weights(resumed.model, through.model)
    assert read_watch_log(folder / "stability.jsonl") == read_watch_log(
        tmp_path / "a" / "stability.jsonl"
    )


def test_a_checkpoint_without_a_watch_is_resumed_with_one_and_saved_again(tmp_path: Path) -> None:
    saving = {"save_strategy": "steps", "save_steps": 2}
    trainer(tmp_path, [], **saving, max_steps=2).train()
    trainer(tmp_path, [transformers_watch()], **saving).train(resume_from_checkpoint=True)
    _, records = read_watch_log(tmp_path / "stability.jsonl")
    assert [record["step"] for record in records] == list(range(3, STEPS + 1))


def test_a_second_training_in_the_same_folder_begins_anew(tmp_path: Path) -> None:
    run = trainer(tmp_path, [transformers_watch()])
    run.train()
    run.train()
    _, records = read_watch_log(tmp_path / "stability.jsonl")
    assert [record["step"] for record in records] == list(range(1, STEPS + 1))


@pytest.mark.parametrize("optim", ["sgd", "adafactor"])
def test_an_optimizer_that_is_not_adams_is_refused_in_one_line(tmp_path: Path, optim: str) -> None:
    with pytest.raises(UserError, match="Adam and AdamW, not of") as caught:
        trainer(tmp_path, [transformers_watch()], optim=optim).train()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("stop_on_alarm", "steps"), [(False, STEPS), (True, 1)])
def test_an_alarm_ends_the_training_only_where_it_was_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_on_alarm: bool, steps: int
) -> None:
    alarm = WatchVerdict(step=1, level=Level.ALARM, reasons=("made up",))
    monkeypatch.setattr(AdamWatch, "step", lambda *_, **__: alarm)
    run = trainer(tmp_path, [transformers_watch(stop_on_alarm=stop_on_alarm)])
    run.train()
    assert run.state.global_step == steps


def test_the_callback_is_rebuilt_from_its_own_state() -> None:
    callback = transformers_watch(WatchConfig(every_steps=3), stop_on_alarm=True)
    again = type(callback).from_state(json.loads(json.dumps(callback.state())))
    assert (again.config, again.stop_on_alarm) == (WatchConfig(every_steps=3), True)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("transformers"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="pip install transformers"):
        transformers_callback._callback_class.__wrapped__()


TWO_RANKS = """
import json, runpy, sys
from pathlib import Path
ours = runpy.run_path({tests!r})
folder = Path({folder!r})
watched = ours["trainer"](folder, [ours["transformers_watch"]()], ddp_backend="gloo")
plain = ours["trainer"](folder / "plain", [], ddp_backend="gloo")
watched.train()
plain.train()
ours["assert_equal_weights"](watched.model, plain.model)
if watched.args.process_index == 0:
    logged = [entry["loss"] for entry in watched.state.log_history if "loss" in entry]
    (folder / "logged.json").write_text(json.dumps(logged))
"""


@pytest.mark.distributed
def test_two_ranks_train_as_without_the_watch_and_their_mean_loss_is_logged(tmp_path: Path) -> None:
    program = tmp_path / "two_ranks.py"
    program.write_text(TWO_RANKS.format(tests=__file__, folder=str(tmp_path)))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(program)]
    result = subprocess.run([sys.executable, *launch], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    _, records = read_watch_log(tmp_path / "stability.jsonl")
    logged = json.loads((tmp_path / "logged.json").read_text())
    assert [record["loss_nats"] for record in records] == pytest.approx(logged, rel=1e-3)
