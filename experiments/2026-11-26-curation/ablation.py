"""Train the same small model on raw and on curated text, and on curated text with one stage left out.

    python experiments/2026-11-26-curation/ablation.py OUT [--seeds 0 1 2] [--clean-mb 4] [--jobs 2]

In: the shared data. Out: `OUT/results.json` and a table: bits per byte on clean held-out chapters that no arm has seen.
All arms have one tokenizer, trained on the raw text. What is there already is not done again.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from noisy_corpus import books, write_noisy

from herd.data import (
    CurationRecipe,
    ExtractStage,
    LanguageStage,
    OneProcess,
    PackingConfig,
    SourceConfig,
    curate,
    pack_sources,
)
from herd.model import ModelConfig
from herd.pretraining import CorpusConfig, InitialConfig, TokenizerConfig
from herd.recipes import find_curation
from herd.recipes.recipe import Recipe
from herd.training import BatchStage, LoopConfig, OptimizerConfig, ScheduleConfig

VOCABULARY, CONTEXT, BATCH_TOKENS, STEPS = 1024, 256, 8 * 256, 600
HELD_OUT_BYTES = 600_000
TOGETHER = {"documents (exact, minhash)": ("exact", "minhash")}
KEPT = (
    "held_out",
    "url",
    "pii",
)  # say nothing here: no held-out split, no URL twice, few private data


def small() -> Recipe:
    """A Llama of 0.4 million parameters, 1.2 million tokens."""
    return Recipe(
        name="small",
        source="this experiment",
        model=ModelConfig(
            vocab_size=VOCABULARY,
            dim=96,
            n_layers=3,
            n_heads=3,
            n_kv_heads=1,
            ffn_dim=256,
            max_context=CONTEXT,
            tie_embeddings=True,
        ),
        corpus=CorpusConfig.of("nowhere"),
        tokenizer=TokenizerConfig(vocab_size=VOCABULARY),
        initial=InitialConfig(
            optimizer=OptimizerConfig(),
            loop=LoopConfig(
                horizon_tokens=STEPS * BATCH_TOKENS,
                batch=(BatchStage(from_tokens=0, batch_tokens=BATCH_TOKENS, context=CONTEXT),),
                schedule=ScheduleConfig(
                    peak_lr=4e-3, warmup_tokens=40 * BATCH_TOKENS, final_lr_frac=0.05
                ),
                micro_batch_tokens=BATCH_TOKENS,
                checkpoint_every_tokens=STEPS * BATCH_TOKENS,
            ),
            validate_every_tokens=STEPS * BATCH_TOKENS,
            validate_tokens=150_000,
            watch_every_steps=0,
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--clean-mb", type=float, default=4.0)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    make_noisy(out / "noisy", int(arguments.clean_mb * 1e6))
    make_held_out(out)
    shards = {name: make_arm(out, name, recipe) for name, recipe in arms(out / "noisy").items()}
    runs = [(name, path, seed) for seed in arguments.seeds for name, path in shards.items()]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        found = list(pool.map(lambda run: train(out, *run), runs))
    results = collect(
        out, [(name, seed, bits) for (name, _, seed), bits in zip(runs, found, strict=True)]
    )
    (out / "results.json").write_text(json.dumps(results, indent=1))
    print(table(results))


def make_noisy(folder: Path, clean_bytes: int) -> None:
    if not folder.exists():
        sizes = write_noisy(folder, clean_bytes=clean_bytes, seed=0)
        (folder.parent / "kinds.json").write_text(json.dumps(sizes))
        print({kind: f"{size / 1e6:.2f} MB" for kind, size in sizes.items()}, file=sys.stderr)


def arms(noisy: Path) -> dict[str, CurationRecipe]:
    """Raw, curated, and curated without each stage (or those that do one thing together)."""
    source = SourceConfig(location=str(noisy))
    full = replace(find_curation("web"), sources=(source,))
    english = LanguageStage(keep=("en",), min_score=0.5)
    stages = (
        english if stage.name == "language" else stage
        for stage in full.stages
        if stage.name != "held_out"
    )
    full = replace(full, stages=tuple(stages))
    as_they_came = (
        ExtractStage(repair=False, strip_markdown=False),
    )  # else pages could not be read at all
    found = {"raw": replace(full, name="raw", stages=as_they_came), "curated": full}
    together = {name for names in TOGETHER.values() for name in names}
    left_out = dict(TOGETHER) | {
        stage.name: (stage.name,)
        for stage in full.stages
        if stage.name not in {*together, *KEPT, "extract"}
    }
    for label, names in left_out.items():
        stages = tuple(stage for stage in full.stages if stage.name not in names)
        found[f"without {label}"] = replace(full, stages=stages)
    return found


def make_arm(out: Path, name: str, recipe: CurationRecipe) -> Path:
    """Curate and pack with the tokenizer of all arms, the clean chapters beside it as held-out text."""
    folder = out / "arms" / slug(name)
    tokenizer = out / "arms" / "raw" / "tokenizer"
    packing = (
        PackingConfig(vocab_size=VOCABULARY, train_bytes=4_000_000)
        if name == "raw"
        else PackingConfig(tokenizer=str(tokenizer))
    )
    manifest = curate(replace(recipe, packing=packing), folder, workers=OneProcess())
    held_out = folder / "shards" / "held_out"
    if not held_out.exists():
        pack_held_out(out, tokenizer, held_out)
    n_tokens = manifest["shards"]["train"]["n_tokens"]
    print(
        f"{name}: {n_tokens:,} tokens, {STEPS * BATCH_TOKENS / n_tokens:.2f} epochs",
        file=sys.stderr,
    )
    return folder / "shards"


def make_held_out(out: Path) -> None:
    """Chapters of books that are in no arm."""
    folder = out / "held_out"
    if folder.exists():
        return
    folder.mkdir()
    total = 0
    for number, text in enumerate(books("valid")):
        if total < HELD_OUT_BYTES:
            (folder / f"{number:03d}.txt").write_text(text)
            total += len(text.encode())


def pack_held_out(out: Path, tokenizer: Path, target: Path) -> None:
    packing = PackingConfig(tokenizer=str(tokenizer))
    source = SourceConfig(location=str(out / "held_out"))
    recipe = CurationRecipe(name="held out", sources=(source,), stages=(), packing=packing)
    pack_sources(recipe, out / "held_out_shards", replace_shards=True)
    (out / "held_out_shards" / "train").rename(target)


def train(out: Path, name: str, shards: Path, seed: int) -> float:
    """Train in a process of its own on one core; return bits per byte on the held-out chapters."""
    run = out / "runs" / f"{slug(first_with_this_text(out, name))}-{seed}"
    if not (run / "summary.json").exists():
        command = [
            "herd",
            "pretrain",
            f"{__file__}:small",
            "--data",
            str(shards),
            "--tokenizer",
            str(out / "arms/raw/tokenizer"),
        ]
        command += ["--out", str(run), "--set", f"initial.seed={seed}", "--resume"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
    bits = float(json.loads((run / "summary.json").read_text())["val_bits_per_byte"])
    print(f"{name}, seed {seed}: {bits:.4f} bits per byte", file=sys.stderr)
    return bits


def first_with_this_text(out: Path, name: str) -> str:
    """The first arm with the same shards: a stage that found nothing makes no other text."""
    digests = {}
    for path in sorted((out / "arms").iterdir(), key=lambda one: (one.name != "curated", one.name)):
        manifest = json.loads((path / "manifest.json").read_text())
        digests.setdefault(manifest["shards"]["train"]["sha256"], path.name)
    own = json.loads((out / "arms" / slug(name) / "manifest.json").read_text())
    return digests[own["shards"]["train"]["sha256"]]


def collect(out: Path, found: list[tuple[str, int, float]]) -> Mapping[str, object]:
    rows: dict[str, dict[str, object]] = {}
    for name in dict.fromkeys(name for name, _, _ in found):
        bits = [one for arm, _, one in found if arm == name]
        manifest = json.loads((out / "arms" / slug(name) / "manifest.json").read_text())
        rows[name] = {
            "bits_per_byte": bits,
            "mean": statistics.mean(bits),
            "stdev": statistics.stdev(bits) if len(bits) > 1 else 0.0,
            "tokens": manifest["shards"]["train"]["n_tokens"],
        }
    kinds = json.loads((out / "kinds.json").read_text())
    return {"kinds_bytes": kinds, "trained_tokens": STEPS * BATCH_TOKENS, "arms": rows}


def table(results: Mapping[str, object]) -> str:
    return "\n".join(_rows(results["arms"]))  # type: ignore[arg-type]


def _rows(arms: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    yield "| arm | tokens of text | epochs read | bits per byte, mean | standard deviation | more than curated |"
    yield "|---|---|---|---|---|---|"
    for name, row in arms.items():
        more = row["mean"] - arms["curated"]["mean"]
        epochs = STEPS * BATCH_TOKENS / row["tokens"]
        yield f"| {name} | {row['tokens']:,} | {epochs:.2f} | {row['mean']:.4f} | {row['stdev']:.4f} | {more:+.4f} |"


def slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)


if __name__ == "__main__":
    main()
