"""A classifier trained, calibrated, evaluated on texts of its own and saved with the evaluation beside it.

In: labelled documents: of folders, from seeds or from a teacher. Out: a directory that appears whole:
settings, weights, `evaluation.json`, `lineage.json`. Never: a classifier without its evaluation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from herd.data.classify.calibration import fitted_temperature
from herd.data.classify.classifier import EVALUATION, LINEAGE
from herd.data.classify.distil import Teacher, ask_teacher
from herd.data.classify.encoder import EncoderClassifier, EncoderConfig, train_encoder
from herd.data.classify.evaluation import Evaluation, evaluate
from herd.data.classify.labelled_texts import (
    GROUP,
    LabelledTexts,
    SplitTexts,
    read_labelled,
    split_texts,
)
from herd.data.classify.linear_classifier import LinearClassifier, LinearConfig, train_linear
from herd.data.classify.seeds import SeedConfig, Seeds, label_by_seeds
from herd.data.classify.teacher_prompt import QUALITY
from herd.data.document import Document
from herd.data.sources import SourceConfig, read_documents
from herd.data.tally import Tally
from herd.foundation import UserError, atomic_directory, installed_version, to_dict, write_json

Config = LinearConfig | EncoderConfig
Labelled = Sequence[tuple[Document, str]]


def train_classifier(
    locations: Mapping[str, str],
    out: Path | str,
    config: Config | None = None,
    *,
    group: str = GROUP,
) -> Evaluation:
    """Train on a location for each label (`{"good": "a/", "bad": "b.jsonl"}`); return the evaluation.

    Raises UserError when a label has too few texts, a location does not exist, or `out` does.
    """
    labelled = read_labelled(locations, group)
    return train_on(labelled, out, config, {"locations": dict(locations)}, group=group)


def train_from_seeds(
    source: str,
    seeds: Seeds,
    out: Path | str,
    config: Config | None = None,
    *,
    seed_config: SeedConfig | None = None,
) -> Evaluation:
    """Train on unlabelled documents of `source`, labelled by seeds; return the evaluation.

    The evaluation is against the labels that seeds and self-training gave, for want of others.
    """
    documents = _read(source)
    seed_config = seed_config or SeedConfig()
    labelled = label_by_seeds(documents, seeds, seed_config, _linear(config))
    lineage = {"source": source, "seeds": to_dict(dict(seeds)), "seed_config": to_dict(seed_config)}
    return train_on(labelled, out, config, lineage)


def distil(
    source: str,
    teacher: Teacher,
    out: Path | str,
    config: Config | None = None,
    *,
    requirement: str = QUALITY,
    teacher_name: str = "",
) -> Evaluation:
    """Train an encoder on what a teacher says of the documents of `source`; return the evaluation.

    The evaluation is against the teacher. Raises UserError as `ask_teacher` does.
    """
    taught = ask_teacher(_read(source), teacher, requirement)
    lineage = {
        "source": source,
        "teacher": teacher_name,
        "requirement": requirement,
        "answers that could not be read": taught.n_unread,
    }
    return train_on(taught.labelled, out, config or EncoderConfig(), lineage)


def train_on(
    labelled: Labelled,
    out: Path | str,
    config: Config | None,
    lineage: Mapping[str, Any],
    *,
    group: str = GROUP,
) -> Evaluation:
    """Split, train, calibrate, evaluate and save; return the evaluation."""
    if Path(out).exists():
        raise UserError(f"{out} already exists; choose another directory with --out")
    config = config or LinearConfig()
    split = split_texts(labelled, group)
    rough = _train(split.train, config)
    temperature = fitted_temperature(rough, split.calibration.texts, split.calibration.labels)
    classifier = replace(rough, temperature=temperature)
    evaluation = evaluate(classifier, split.evaluation.texts, split.evaluation.labels)
    with atomic_directory(out) as partial:
        classifier.save(partial)
        write_json(partial / EVALUATION, to_dict(evaluation))
        write_json(partial / LINEAGE, _lineage(lineage, config, split))
    return evaluation


def _train(part: LabelledTexts, config: Config) -> LinearClassifier | EncoderClassifier:
    if isinstance(config, LinearConfig):
        return train_linear(part.texts, part.labels, config)
    return train_encoder(part.texts, part.labels, config)


def _lineage(given: Mapping[str, Any], config: Config, split: SplitTexts) -> dict[str, Any]:
    return {
        **given,
        "config": to_dict(config),
        "texts": {
            "train": len(split.train.texts),
            "calibration": len(split.calibration.texts),
            "evaluation": len(split.evaluation.texts),
            **split.counts,
        },
        "herd": installed_version("llama-herd"),
    }


def _read(source: str) -> list[Document]:
    tally = Tally()
    documents = [
        one for one in read_documents([SourceConfig(location=source)], tally) if one.text.strip()
    ]
    if not documents:
        raise UserError(f"{source}: no text to train on; {tally.sentence('read')}".rstrip("; "))
    return documents


def _linear(config: Config | None) -> LinearConfig:
    return config if isinstance(config, LinearConfig) else LinearConfig()
