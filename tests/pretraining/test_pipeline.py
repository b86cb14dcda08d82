"""The whole pipeline on made-up words: each step's result, each step's restart, each refusal."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from herd.cli.run import make_generate, plan_of
from herd.foundation import RunDirectory, UserError, from_dict, read_metrics
from herd.pretraining import open_packed_text, run_on_shards, run_pipeline
from herd.recipes import Recipe
from herd.tokenizer import load as load_tokenizer

TIMES = {"tokens_per_s", "mfu", "elapsed_s"}


def go(recipe: Recipe, path: Path, *, resume: bool = False):
    return run_pipeline(
        plan_of(recipe), RunDirectory(path), resume=resume, make_generate=make_generate
    )


def timeless(path: Path) -> list[dict]:
    records = read_metrics(path / "metrics.jsonl")
    return [{k: v for k, v in record.items() if k not in TIMES} for record in records]


@pytest.fixture(scope="module")
def done(tmp_path_factory, words, make_recipe) -> Path:
    path = tmp_path_factory.mktemp("runs") / "done"
    assert not go(make_recipe(words), path).was_done
    return path


def test_a_run_leaves_everything_that_the_house_plan_names(done: Path, words, make_recipe) -> None:
    assert {path.name for path in done.iterdir()} >= {
        "recipe.json",
        "environment.json",
        "metrics.jsonl",
        "tensorboard",
        "checkpoints",
        "model",
        "report.html",
        "log.txt",
    }
    saved = json.loads((done / "recipe.json").read_text())
    assert from_dict(Recipe, saved) == make_recipe(words)
    assert sorted(p.name for p in (done / "checkpoints").iterdir()) == [
        "step-00000020",
        "step-00000030",
    ]


def test_the_loss_fell_and_was_validated_and_sampled(done: Path) -> None:
    records = read_metrics(done / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(1, 31))
    assert records[-1]["loss_nats"] < records[0]["loss_nats"] - 1
    validated = [record["step"] for record in records if "val_bits_per_byte" in record]
    assert validated == [1, 10, 20, 30]
    assert [r["step"] for r in records if "samples" in r] == validated
    assert [s["prompt"] for s in records[-1]["samples"]] == ["kana", "loso"]


def test_the_exported_model_opens_and_has_the_validated_loss(done: Path) -> None:
    import math

    import torch

    from herd.data import Loader
    from herd.model import load_weights
    from herd.training import bits_per_byte

    model = load_weights(done / "model", dtype=torch.float32)
    text = open_packed_text(done / "shards", load_tokenizer(done / "model"))
    batch = Loader(text.held_out, context=128, seed=0).batch(0, 2)
    result = model.loss(
        batch.tokens_BT,
        batch.targets_BT,
        loss_mask_BT=batch.loss_mask_BT,
        segment_BT=batch.segment_BT,
        position_BT=batch.position_BT,
    )
    loss_nats = float(result.loss_sum_nats.detach() / result.n_tokens)
    last = read_metrics(done / "metrics.jsonl")[-1]
    assert loss_nats == pytest.approx(last["val_loss_nats"], rel=1e-2)  # that was in bfloat16
    reader = text.held_out
    bits = bits_per_byte(last["val_loss_nats"], reader.n_bytes / reader.n_tokens)
    assert bits == pytest.approx(last["val_bits_per_byte"])
    assert bits < math.log2(256)


def test_run_again_it_says_that_it_is_done_and_touches_nothing(
    done: Path, words, make_recipe
) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()}
    for resume in (False, True):
        result = go(make_recipe(words), done, resume=resume)
        assert result.was_done and result.summary["steps"] == 30
    assert {p: p.stat().st_mtime_ns for p in done.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("lost", ["report.html", "model", "shards", "tokenizer"])
def test_a_lost_result_is_made_again_the_same(
    done: Path, tmp_path, words, make_recipe, lost: str
) -> None:
    path = tmp_path / "copy"
    shutil.copytree(done, path)
    (path / "summary.json").unlink()
    victim = path / lost
    shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
    go(make_recipe(words), path, resume=True)
    assert timeless(path) == timeless(done)
    for name in ("model/model.safetensors", "tokenizer/tokenizer.json", "shards/train/tokens.bin"):
        assert (path / name).read_bytes() == (done / name).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_resumed_run_ends_like_the_one_left_alone(
    done: Path, tmp_path, words, make_recipe, number
) -> None:
    def interrupting(model, tokenizer):
        def generate(prompt: str) -> str:
            records = read_metrics(tmp_path / "run" / "metrics.jsonl")
            if records and records[-1]["step"] == 9 and prompt == "kana":
                os.kill(os.getpid(), number)
            return make_generate(model, tokenizer)(prompt)

        return generate

    run, plan = RunDirectory(tmp_path / "run"), plan_of(make_recipe(words))
    result = run_pipeline(plan, run, resume=False, make_generate=interrupting)
    assert result.stopped_by == number.name
    assert [path.name for path in run.checkpoints_path.iterdir()] == ["step-00000010"]
    assert not run.model_path.exists()
    assert f"stopped by {number.name} after step 10" in run.log_path.read_text()
    go(make_recipe(words), run.path, resume=True)
    assert timeless(run.path) == timeless(done)
    weights = "model/model.safetensors"
    assert (run.path / weights).read_bytes() == (done / weights).read_bytes()


def test_another_recipe_and_a_second_process_are_refused(done: Path, words, make_recipe) -> None:
    with pytest.raises(UserError, match=r"initial.loop.horizon_tokens was 30720, is 31744"):
        go(make_recipe(words, steps=31), done, resume=True)
    with RunDirectory(done).locked(), pytest.raises(UserError, match="another process"):
        go(make_recipe(words), done, resume=True)


def test_another_tokenizer_is_refused_on_resuming(done: Path, tmp_path, words, make_recipe) -> None:
    from herd.tokenizer import train_bpe

    path = tmp_path / "copy"
    shutil.copytree(done, path)
    (path / "summary.json").unlink()
    shutil.rmtree(path / "tokenizer")
    train_bpe(["another text altogether " * 50], vocab_size=600).save(path / "tokenizer")
    with pytest.raises(UserError, match="packed with tokenizer"):
        go(make_recipe(words), path, resume=True)
    shutil.rmtree(path / "shards")  # packed again with the stranger: now the checkpoint objects
    with pytest.raises(UserError, match="another tokenizer"):
        go(make_recipe(words), path, resume=True)


def test_shards_that_are_packed_already_give_the_same_model(
    done: Path, tmp_path, words, make_recipe
) -> None:
    result = run_on_shards(
        plan_of(make_recipe(words)),
        RunDirectory(tmp_path / "run"),
        done / "shards",
        done / "tokenizer",
        resume=False,
        make_generate=make_generate,
    )
    assert result.summary["steps"] == 30
    assert timeless(tmp_path / "run") == timeless(done)


def test_an_empty_corpus_leaves_a_clear_line_and_no_half_of_anything(
    tmp_path, words, make_recipe
) -> None:
    (tmp_path / "nothing").mkdir()
    recipe = make_recipe(tmp_path / "nothing")
    with pytest.raises(UserError, match="no usable text in"):
        go(recipe, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        ".lock",
        "log.txt",
        "recipe.json",
        "environment.json",
    }


def test_the_report_shows_data_configuration_lineage_and_environment(done: Path) -> None:
    page = (done / "report.html").read_text()
    for heading in ("Curves", "Stability", "Data", "Configuration", "Lineage", "Environment"):
        assert f"<h2>{heading}</h2>" in page
    assert "initial.loop.schedule.peak_lr" in page
    assert "watched steps" in page and "Verdicts under the loss" in page


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"vocab_size": 300}, "model.vocab_size is 300"),
        ({"max_context": 64}, "model.max_context only 64"),
        ({"dim": 32 * 8192, "head_dim": 16, "ffn_dim": 10**6}, "choose a smaller model"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_it_is_built(
    done: Path, words, make_recipe, change, complaint: str
) -> None:
    import torch

    from herd.pretraining.initial import check_fit, check_vocabulary

    recipe = make_recipe(words)
    model = replace(recipe.model, **change)
    text = open_packed_text(done / "shards", load_tokenizer(done / "tokenizer"))
    with pytest.raises(UserError, match=complaint):
        check_fit(model, recipe.initial, torch.device("cpu"))
        check_vocabulary(model, text)


def test_a_model_too_large_for_the_machine_leaves_no_directory(
    tmp_path: Path, words, make_recipe
) -> None:
    recipe = make_recipe(words)
    giant = replace(recipe, model=replace(recipe.model, dim=2**18, head_dim=16, ffn_dim=10**6))
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(UserError, match="choose a smaller model"):
        run_pipeline(plan_of(giant), run, resume=False, make_generate=make_generate)
    assert not run.path.exists()
