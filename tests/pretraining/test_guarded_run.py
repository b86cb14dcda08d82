"""Watch, interventions and rollback in a whole stage: resumed to the bit, recorded, undone by none."""

import json
import math
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from herd.data import Loader
from herd.foundation import RunDirectory, UserError, apply_override, read_metrics
from herd.pretraining import (
    InitialConfig,
    PackedText,
    open_packed_text,
    run_pipeline,
    train_initial,
)
from herd.pretraining.qk_clip_hook import QKClipHook, largest_attention_logits
from herd.pretraining.run_log import RunLog
from herd.stability import InterventionConfig, RollbackRule
from herd.tokenizer import load as load_tokenizer
from herd.training import NonFiniteLossError, Outcome, Precision

TIMES = {"tokens_per_s", "mfu", "elapsed_s"}


@pytest.fixture(scope="module")
def text(tmp_path_factory, words, make_recipe) -> PackedText:
    from herd.cli.run import make_generate, plan_of

    recipe = make_recipe(words, steps=1)
    run = RunDirectory(tmp_path_factory.mktemp("text") / "run")
    run_pipeline(plan_of(recipe), run, resume=False, make_generate=make_generate)
    return open_packed_text(run.path / "shards", load_tokenizer(run.path / "tokenizer"))


@pytest.fixture
def make_stage(words, make_recipe, text):
    """A stage of 24 steps, 8 sequences of 32 tokens each, saved every 4 steps."""
    recipe = make_recipe(words, steps=24)
    loop = replace(
        recipe.initial.loop,
        horizon_tokens=24 * 256,
        batch=(replace(recipe.initial.loop.batch[0], batch_tokens=256, context=32),),
        schedule=replace(recipe.initial.loop.schedule, warmup_tokens=4 * 256),
        micro_batch_tokens=256,
        checkpoint_every_tokens=4 * 256,
        precision=Precision.FLOAT32,
    )

    def make(**changes) -> tuple:
        values = {"loop": loop, "sample_prompts": (), "validate_tokens": 0, **changes}
        return recipe.model, replace(recipe.initial, **values)

    return make


def go(stage, text: PackedText, path: Path) -> tuple[dict, Outcome]:
    run = RunDirectory(path)
    path.mkdir(exist_ok=True)
    model_config, config = stage
    model, outcome = train_initial(model_config, config, text, run, RunLog(run.log_path))
    return model.state_dict(), outcome


def left_by(path: Path) -> tuple[list[dict], list[dict]]:
    records = read_metrics(path / "metrics.jsonl")
    timeless = [{k: v for k, v in record.items() if k not in TIMES} for record in records]
    return timeless, read_metrics(path / "stability.jsonl")


def same_weights(ours: dict, theirs: dict) -> bool:
    return all(torch.equal(value, theirs[name]) for name, value in ours.items())


ALL = InterventionConfig(
    skip_step=True,
    update_clip=True,
    learning_rate_damp=True,
    cold_guard=True,
    relative_epsilon=1e-3,
    moment_reset=True,
    zclip=True,
    adagc=True,
    stable_adamw=True,
    qk_clip=0.02,
    z_loss=1e-4,
    rollback=True,
)


@pytest.mark.parametrize("every", [1, 3])
def test_watched_or_not_the_weights_are_the_same_to_the_bit(
    make_stage, text, tmp_path, every: int
) -> None:
    plain, _ = go(make_stage(watch_every_steps=0), text, tmp_path / "plain")
    watched, _ = go(make_stage(watch_every_steps=every), text, tmp_path / "watched")
    assert same_weights(plain, watched)
    assert not (tmp_path / "plain" / "stability.jsonl").exists()
    assert (tmp_path / "watched" / "stability.jsonl").exists()


def stop_at(step: int, monkeypatch) -> None:
    """Send SIGTERM once this step's batch is read."""
    batch = Loader.batch

    def read(self, first_sequence: int, n_sequences: int):
        if first_sequence == 8 * (step - 1):
            os.kill(os.getpid(), signal.SIGTERM)
        return batch(self, first_sequence, n_sequences)

    monkeypatch.setattr(Loader, "batch", read)


@pytest.mark.parametrize("asked", [ALL, replace(ALL, adagc=False, zclip=False, moment_reset=False)])
def test_with_every_intervention_a_resumed_run_is_the_uninterrupted_one_to_the_bit(
    make_stage, text, tmp_path, monkeypatch, asked
) -> None:
    stage = make_stage(interventions=asked, watch_every_steps=3)
    expected, outcome = go(stage, text, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(11, patch)
        _, stopped = go(stage, text, tmp_path / "halves")
    assert stopped.stopped_by == "SIGTERM" and stopped.state.step == 11
    found, resumed = go(stage, text, tmp_path / "halves")
    assert resumed == outcome
    assert left_by(tmp_path / "halves") == left_by(tmp_path / "whole")
    assert same_weights(expected, found)
    lines = left_by(tmp_path / "whole")[1]
    acted = {line["intervention"] for line in lines if "intervention" in line}
    assert "QK-clip" in acted


def test_a_line_about_an_earlier_step_is_cut_with_the_step_that_wrote_it(
    make_stage, text, tmp_path, monkeypatch
) -> None:
    """AdaGC's episode ends ten quiet steps later: after the checkpoint that the resumed run takes."""
    from herd.stability.interventions import episode

    monkeypatch.setattr(episode, "QUIET_STEPS", 0)
    stage = make_stage(interventions=InterventionConfig(adagc=True), watch_every_steps=20)
    go(stage, text, tmp_path / "whole")
    for number in range(9, 13):
        path = tmp_path / str(number)
        with monkeypatch.context() as patch:
            kill_at(number, patch)
            with pytest.raises(KilledError):
                go(stage, text, path)
        go(stage, text, path)
        assert left_by(path) == left_by(tmp_path / "whole")
    steps = [line["step"] for line in left_by(tmp_path / "whole")[1][1:]]
    assert steps == sorted(steps)


def test_interventions_write_their_lines_without_a_watch_too(make_stage, text, tmp_path) -> None:
    asked = InterventionConfig(qk_clip=0.02)
    go(make_stage(interventions=asked, watch_every_steps=0), text, tmp_path / "run")
    _, lines = left_by(tmp_path / "run")
    assert {line["intervention"] for line in lines} == {"QK-clip"}


@pytest.mark.parametrize("name", ["rollback", "learning_rate_damp"])
def test_what_acts_on_alarms_needs_the_watch(make_stage, name: str) -> None:
    with pytest.raises(UserError, match="watch_every_steps"):
        make_stage(interventions=InterventionConfig(**{name: True}), watch_every_steps=0)


def test_interventions_are_set_by_name(make_stage) -> None:
    config: InitialConfig = make_stage()[1]
    changed = apply_override(config, "interventions.update_clip=true")
    assert changed.interventions == InterventionConfig(update_clip=True)
    assert apply_override(config, "rollback.steps_back=7").rollback == RollbackRule(steps_back=7)


def poison(monkeypatch, sequences: range) -> list[int]:
    """Make the model's loss infinite on batches that hold these sequences; return what is read."""
    from herd.model import LossSum, Transformer

    seen: list[int] = []
    batch, loss = Loader.batch, Transformer.loss

    def read(self, first_sequence: int, n_sequences: int):
        seen.append(first_sequence)
        return batch(self, first_sequence, n_sequences)

    def poisoned(self, *arguments, **options):
        result = loss(self, *arguments, **options)
        bad = math.inf if set(range(seen[-1], seen[-1] + 8)) & set(sequences) else 1.0
        return LossSum(result.loss_sum_nats * bad, result.n_tokens)

    monkeypatch.setattr(Loader, "batch", read)
    monkeypatch.setattr(Transformer, "loss", poisoned)
    return seen


POISON = range(8 * 13 + 3, 8 * 14 + 2)  # steps 14 and 15
RULE = RollbackRule(
    steps_back=5, skip_batches=(8, 12), learning_rate_factors=(0.9, 0.67), memory_steps=20
)


def test_poisonous_data_ends_a_run_or_is_rolled_back_over(
    make_stage, text, tmp_path, monkeypatch
) -> None:
    seen = poison(monkeypatch, POISON)
    with pytest.raises(NonFiniteLossError, match="step 14: loss inf"):
        go(make_stage(), text, tmp_path / "plain")
    last = read_metrics(tmp_path / "plain" / "metrics.jsonl")[-1]
    assert last["step"] == 14 and last["stability"] == "ALARM" and last["documents"]
    seen.clear()
    asked = make_stage(interventions=InterventionConfig(rollback=True), rollback=RULE)
    _, outcome = go(asked, text, tmp_path / "rolled")
    # Back from step 14 to the checkpoint of step 8; from step 9 on 8 batches are left out.
    assert seen == [8 * n for n in [*range(14), 8, *range(17, 32)]]
    assert outcome.state.step == 24 and outcome.state.next_sequence == 8 * 32
    records, lines = left_by(tmp_path / "rolled")
    assert [r["step"] for r in records if "loss_nats" in r] == list(range(1, 25))
    assert [line["skipped_sequences"] for line in lines if "rollback" in line] == [[72, 136]]
    said = (tmp_path / "rolled" / "log.txt").read_text()
    assert "step 14 failed: back to the checkpoint of step 8" in said


@pytest.mark.parametrize("step", [14, 18])
def test_a_rolled_back_run_that_is_killed_resumes_to_the_same_end(
    make_stage, text, tmp_path, monkeypatch, step: int
) -> None:
    poison(monkeypatch, POISON)
    stage = make_stage(interventions=replace(ALL, skip_step=False), rollback=RULE)
    expected, outcome = go(stage, text, tmp_path / "whole")
    with monkeypatch.context() as patch:
        kill_at(step, patch)
        with pytest.raises(KilledError):
            go(stage, text, tmp_path / "killed")
    found, resumed = go(stage, text, tmp_path / "killed")
    assert resumed == outcome
    assert left_by(tmp_path / "killed") == left_by(tmp_path / "whole")
    assert same_weights(expected, found)


class KilledError(BaseException):
    """As SIGKILL, but one that the test survives."""


def kill_at(number: int, monkeypatch) -> None:
    """Kill when the n-th batch of this process is read."""
    batch = Loader.batch
    calls: list[int] = []

    def read(self, first_sequence: int, n_sequences: int):
        calls.append(first_sequence)
        if len(calls) == number:
            raise KilledError
        return batch(self, first_sequence, n_sequences)

    monkeypatch.setattr(Loader, "batch", read)


def test_checkpoints_of_a_version_without_the_watch_still_load(
    make_stage, text, tmp_path, monkeypatch
) -> None:
    expected, _ = go(make_stage(), text, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(11, patch)
        go(make_stage(), text, tmp_path / "old")
    (tmp_path / "old" / "stability.jsonl").unlink()
    for path in (tmp_path / "old" / "checkpoints").glob("step-*/state.json"):
        saved = json.loads(path.read_text())
        del saved["parts"]
        path.write_text(json.dumps(saved))
    found, _ = go(make_stage(), text, tmp_path / "old")
    assert same_weights(expected, found)
    assert (
        "was saved without the watch, which begins anew"
        in (tmp_path / "old" / "log.txt").read_text()
    )
    assert [line["step"] for line in left_by(tmp_path / "old")[1] if "step" in line] == [20]


def test_the_measured_attention_logits_are_those_of_the_plain_formula(
    make_stage, text, tmp_path
) -> None:
    from herd import ops
    from herd.model import Transformer, init_weights

    model = Transformer(make_stage()[0])
    init_weights(model, seed=0)
    batch = Loader(text.train, context=32, seed=0).batch(0, 3)
    found = largest_attention_logits(model, batch)
    assert list(found) == ["layers.0.attention", "layers.1.attention"]
    layer = model.layers[0].attention
    x_BTD = model.layers[0].attention_norm(model.embedding(batch.tokens_BT))
    frequencies = ops.rope_frequencies(model.config.head_dim, model.config.rope_theta, None)
    rope = ops.rope_angles(batch.position_BT, frequencies)
    q, k = (
        ops.apply_rope(part(x_BTD).unflatten(-1, (-1, model.config.head_dim)), *rope)
        for part in (layer.q, layer.k)
    )
    q, k = q.detach(), k.detach()
    largest = [-math.inf] * model.config.n_heads
    group = model.config.n_heads // model.config.n_kv_heads
    for b in range(3):
        for t in range(32):
            for s in range(t + 1):
                if batch.segment_BT[b, t] == batch.segment_BT[b, s]:
                    for head in range(model.config.n_heads):
                        logit = q[b, t, head] @ k[b, s, head // group]
                        logit = float(logit) / model.config.head_dim**0.5
                        largest[head] = max(largest[head], logit)
    torch.testing.assert_close(
        found["layers.0.attention"], torch.tensor(largest), rtol=1e-5, atol=1e-6
    )


def test_clipped_heads_reach_the_limit_and_no_more_on_the_same_sample(make_stage, text) -> None:
    from herd.model import Transformer, init_weights
    from herd.stability import QKClip, QKClipConfig
    from herd.training import StepMetrics, TrainState

    model = Transformer(make_stage()[0])
    init_weights(model, seed=0)
    source = Loader(text.train, context=32, seed=0)
    before = largest_attention_logits(model, source.batch(6, 1))["layers.0.attention"]
    tau = float(before.mean())
    clip = QKClipHook(QKClip(QKClipConfig(tau=tau)), model, source, torch.device("cpu"), 2)
    metrics = StepMetrics(
        step=3,
        tokens=1,
        loss_nats=1.0,
        grad_norm=1.0,
        learning_rate=1.0,
        batch_tokens=1,
        tokens_per_s=1.0,
        mfu=None,
        elapsed_s=1.0,
    )
    assert clip(TrainState(step=3, next_sequence=7), metrics).record == {}  # not due
    record = clip(TrainState(step=4, next_sequence=7), metrics).record
    assert record["attention_logit_max"] >= float(before.max())
    after = largest_attention_logits(model, source.batch(6, 1))["layers.0.attention"]
    torch.testing.assert_close(after, before.clamp(max=tau), rtol=1e-5, atol=1e-7)
    assert (before > tau).any() and (before < tau).any()


def test_a_run_that_is_copied_elsewhere_goes_on_there(
    make_stage, text, tmp_path, monkeypatch
) -> None:
    poison(monkeypatch, POISON)
    stage = make_stage(interventions=InterventionConfig(rollback=True), rollback=RULE)
    _, outcome = go(stage, text, tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert go(stage, text, tmp_path / "there")[1] == outcome
