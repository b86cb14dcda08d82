"""The pipeline of one run: corpus, tokenizer, shards, training, exported model, report.

In: a plan, a run directory. Out: everything in that directory; each step is skipped when its result
is already there, so a run that was stopped anywhere goes on where it was.
Never: a recipe by name, or the engine that generates (it is handed in as a function).
"""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herd.data import ShardReader, curate, pack_corpus, require_documents, write_corpus_page
from herd.foundation import (
    PageSection,
    RunDirectory,
    UserError,
    atomic_directory,
    default_device,
    format_bytes,
    format_count,
    format_seconds,
    read_json,
    read_metrics,
    remove_partials,
    write_json,
)
from herd.model import ModelConfig, Transformer, parameter_count, save_hf
from herd.pretraining.corpus import CorpusConfig, TokenizerConfig, curation_of, make_tokenizer
from herd.pretraining.initial import check_fit, train_initial
from herd.pretraining.initial_config import InitialConfig, MakeGenerate, PackedText
from herd.pretraining.run_claim import SUMMARY_FILE, Claim, claim_run
from herd.pretraining.run_log import RunLog
from herd.pretraining.run_report import write_run_report
from herd.tokenizer import Tokenizer
from herd.tokenizer import load as load_tokenizer
from herd.training import Outcome

CORPUS_PAGE = "report.html"
Evaluate = Callable[[Transformer, Tokenizer, RunDirectory], PageSection]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to make. `recipe` is all that decides it, as plain values, for `recipe.json`."""

    title: str
    model: ModelConfig
    corpus: CorpusConfig
    tokenizer: TokenizerConfig
    initial: InitialConfig
    recipe: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """How a run ended: finished, with its summary, or stopped by a signal."""

    stopped_by: str
    summary: Mapping[str, Any]
    was_done: bool = False


def run_pipeline(
    plan: Plan,
    run: RunDirectory,
    *,
    resume: bool,
    make_generate: MakeGenerate,
    evaluate: Evaluate | None = None,
) -> RunResult:
    """Make everything that is not there yet; return how it ended.

    `evaluate` tells what the trained model can do, as a section of the report.
    Raises UserError when the directory is another recipe's run, in use, or to be resumed and not
    asked to.
    """

    def get_text(log: RunLog) -> PackedText:
        _corpus_step(plan, run, log)
        tokenizer = _tokenizer_step(plan, run, log)
        return _packing_step(run, log, tokenizer)

    return _in_claimed_run(
        plan, run, get_text, resume=resume, make_generate=make_generate, evaluate=evaluate
    )


def run_on_shards(
    plan: Plan,
    run: RunDirectory,
    shards: Path,
    tokenizer: Path,
    *,
    resume: bool,
    make_generate: MakeGenerate,
) -> RunResult:
    """Do what `run_pipeline` does from the third step on, with text that is packed already.

    Raises UserError as that does, and when the shards were packed with another tokenizer.
    """

    def get_text(log: RunLog) -> PackedText:
        return open_packed_text(shards, load_tokenizer(tokenizer))

    return _in_claimed_run(plan, run, get_text, resume=resume, make_generate=make_generate)


def _in_claimed_run(
    plan: Plan,
    run: RunDirectory,
    get_text: Callable[[RunLog], PackedText],
    *,
    resume: bool,
    make_generate: MakeGenerate,
    evaluate: Evaluate | None = None,
) -> RunResult:
    check_fit(plan.model, plan.initial, default_device())  # before hours of packing
    with run.locked():
        claim = claim_run(run, plan.recipe, resume=resume)
        if claim is Claim.DONE:
            summary = read_json(run.path / SUMMARY_FILE)
            return RunResult(stopped_by="", summary=summary, was_done=True)
        remove_partials(run.path)
        log = RunLog(run.log_path)
        log.say(_announcement(plan, run, claim))
        return _train_and_finish(plan, run, log, get_text(log), make_generate, evaluate)


def _train_and_finish(
    plan: Plan,
    run: RunDirectory,
    log: RunLog,
    text: PackedText,
    make_generate: MakeGenerate,
    evaluate: Evaluate | None,
) -> RunResult:
    log.say(f"[4/6] training to {format_count(plan.initial.loop.horizon_tokens)} tokens")
    started = time.monotonic()
    model, outcome = train_initial(
        plan.model, plan.initial, text, run, log, make_generate=make_generate
    )
    if outcome.stopped_by:
        return _stopped(run, log, outcome)
    log.say(f"trained in {format_seconds(time.monotonic() - started)}")
    _export_step(run, log, model, text.tokenizer)
    section = _evaluation(run, log, model, text, evaluate)
    return _report_step(plan, run, log, model, text, make_generate, section)


def _announcement(plan: Plan, run: RunDirectory, claim: Claim) -> str:
    what = f"{plan.title}: {format_count(parameter_count(plan.model))} parameters"
    if claim is Claim.CONTINUED:
        return f"{what}; going on with {run.path}"
    return f"{what}, into {run.path}"


def _corpus_step(plan: Plan, run: RunDirectory, log: RunLog) -> None:
    path = run.corpus_path
    if (path / CORPUS_PAGE).exists() or run.shards_path.exists():
        log.say("[1/6] corpus: there already")
        return
    log.say("[1/6] curating the corpus")
    curate(curation_of(plan.corpus), path)
    try:
        require_documents(path)
    except UserError:
        shutil.rmtree(path)  # so that the same command works when there is something to read
        raise
    write_corpus_page(path, path / CORPUS_PAGE)


def _tokenizer_step(plan: Plan, run: RunDirectory, log: RunLog) -> Tokenizer:
    path = run.tokenizer_path
    if path.exists():
        log.say("[2/6] tokenizer: there already")
    else:
        log.say("[2/6] tokenizer")
        with atomic_directory(path) as partial:
            make_tokenizer(plan.tokenizer, run.corpus_path).save(partial)
    return load_tokenizer(path)


def _packing_step(run: RunDirectory, log: RunLog, tokenizer: Tokenizer) -> PackedText:
    path = run.shards_path
    if path.exists():
        log.say("[3/6] packed text: there already")
    else:
        log.say("[3/6] packing the text")
        pack_corpus(run.corpus_path, run.tokenizer_path, path)
    text = open_packed_text(path, tokenizer)
    held_out = format_count(text.held_out.n_tokens) if text.held_out else "none"
    log.say(
        f"{format_count(text.train.n_tokens)} tokens in {text.train.n_documents} documents "
        f"({format_bytes(text.train.n_bytes)}); {held_out} held out"
    )
    return text


def open_packed_text(directory: Path, tokenizer: Tokenizer) -> PackedText:
    """Open `train` and, where there is one, `held_out` below a directory of shards.

    A directory that is itself a shard is taken as training text with nothing held out. Raises
    UserError when they were packed with another tokenizer.
    """
    fingerprint = tokenizer.fingerprint
    if not (directory / "train").is_dir():
        reader = ShardReader(directory, tokenizer_fingerprint=fingerprint)
        return PackedText(train=reader, held_out=None, tokenizer=tokenizer)
    held_out = directory / "held_out"
    return PackedText(
        train=ShardReader(directory / "train", tokenizer_fingerprint=fingerprint),
        held_out=ShardReader(held_out, tokenizer_fingerprint=fingerprint)
        if held_out.is_dir()
        else None,
        tokenizer=tokenizer,
    )


def _stopped(run: RunDirectory, log: RunLog, outcome: Outcome) -> RunResult:
    log.say(
        f"stopped by {outcome.stopped_by} after step {outcome.state.step}; all is saved in "
        f"{run.checkpoints_path}. Go on with --resume"
    )
    return RunResult(stopped_by=outcome.stopped_by, summary={})


def _export_step(run: RunDirectory, log: RunLog, model: Transformer, tokenizer: Tokenizer) -> None:
    if run.model_path.exists():
        log.say("[5/6] exported model: there already")
        return
    log.say(f"[5/6] exporting the model to {run.model_path}")
    save_hf(model, run.model_path, tokenizer=tokenizer)


def _evaluation(
    run: RunDirectory,
    log: RunLog,
    model: Transformer,
    text: PackedText,
    evaluate: Evaluate | None,
) -> PageSection | None:
    """What the model can do; a library that is not installed costs the section, not the run."""
    if evaluate is None:
        return None
    log.say("evaluating the model")
    try:
        return evaluate(model.eval(), text.tokenizer, run)
    except UserError as error:
        log.say(f"not evaluated: {error}")
        return PageSection(title="Evaluation", text=f"Not evaluated: {error}")


def _report_step(
    plan: Plan,
    run: RunDirectory,
    log: RunLog,
    model: Transformer,
    text: PackedText,
    make_generate: MakeGenerate,
    evaluation: PageSection | None,
) -> RunResult:
    log.say(f"[6/6] writing the report to {run.report_path}")
    generate = make_generate(model, text.tokenizer)
    samples = [
        {"prompt": prompt, "text": generate(prompt)} for prompt in plan.initial.sample_prompts
    ]
    records = read_metrics(run.metrics_path)
    if not records:
        raise UserError(f"{run.metrics_path} is empty: was it removed? Start a new run with --out")
    write_run_report(plan.title, plan.recipe, run, records, text, samples, evaluation)
    summary = _summary(plan, records, samples)
    write_json(run.path / SUMMARY_FILE, summary)
    return RunResult(stopped_by="", summary=summary)


def _summary(
    plan: Plan, records: list[dict[str, Any]], samples: list[dict[str, str]]
) -> dict[str, Any]:
    steps = [record for record in records if "tokens" in record]
    validated = [record for record in steps if "val_loss_nats" in record]
    last_validated = validated[-1] if validated else {}
    return {
        "title": plan.title,
        "parameters": parameter_count(plan.model),
        "steps": steps[-1]["step"],
        "tokens": steps[-1]["tokens"],
        "loss_nats": steps[-1]["loss_nats"],
        "val_loss_nats": last_validated.get("val_loss_nats"),
        "val_bits_per_byte": last_validated.get("val_bits_per_byte"),
        "samples": samples,
    }
