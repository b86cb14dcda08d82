"""The study: the same questions in every variant, and how far the score moves.

In: questions, a model. Out: for each variant its accuracy with interval, for each axis the spread. Never:
a mean that hides it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from herd.evals.evaluated_model import EvaluatedModel, ToScore
from herd.evals.intervals import mean_interval, paired_difference
from herd.evals.robustness.question import Question
from herd.evals.robustness.variants import VARIANTS, Variant, prompt_of, right_label
from herd.foundation import progress_bar


def robustness_study(
    questions: Sequence[Question],
    model: EvaluatedModel,
    variants: Sequence[Variant] = VARIANTS,
) -> dict[str, Any]:
    """Return accuracies by variant, and by axis: lowest, highest, standard deviation, agreement.

    A question's answer is the label with the largest likelihood. Raises UserError when a prompt does not
    fit the model's context.
    """
    asked = [
        _to_score(question, variant, label, model)
        for variant in variants
        for question in questions
        for label in variant.labels
    ]
    totals = _likelihoods(asked, model)
    n_labels = len(variants[0].labels)
    picked_VQ = totals.reshape(len(variants), len(questions), n_labels).argmax(-1)
    right_VQ = np.array([[right_label(q, v) for q in questions] for v in variants])
    correct_VQ = (picked_VQ == right_VQ).astype(float)
    chosen_VQ = np.array(
        [
            [variant.order[place] for place in row]
            for variant, row in zip(variants, picked_VQ, strict=True)
        ]
    )
    return {
        "model": model.name,
        "questions": len(questions),
        "variants": [
            _variant(variant, correct, picked)
            for variant, correct, picked in zip(variants, correct_VQ, picked_VQ, strict=True)
        ],
        "axes": _axes(variants, correct_VQ, chosen_VQ),
    }


def _likelihoods(asked: Sequence[ToScore], model: EvaluatedModel) -> np.ndarray[Any, Any]:
    """Nats of each; the plain form stands in every axis and is asked once."""
    distinct = list(dict.fromkeys(asked))
    nats: dict[ToScore, float] = {}
    with progress_bar("scoring", len(distinct), "labels") as bar:
        for i, score in model.scores(distinct):
            nats[distinct[i]] = sum(score.logprobs)
            bar.advance(1)
    return np.array([nats[one] for one in asked])


def _to_score(question: Question, variant: Variant, label: str, model: EvaluatedModel) -> ToScore:
    tokenizer = model.tokenizer
    bos = tokenizer.adds_bos
    prompt = prompt_of(question, variant)
    ids = tokenizer.encode(prompt, bos=bos)
    whole = tokenizer.encode(f"{prompt} {label}", bos=bos)
    return ToScore(tuple(ids), tuple(whole[len(ids) :]))


def _variant(
    variant: Variant, correct_Q: np.ndarray[Any, Any], picked_Q: np.ndarray[Any, Any]
) -> dict[str, Any]:
    found = mean_interval(correct_Q)
    counts = np.bincount(picked_Q, minlength=len(variant.labels))
    return {
        "axis": variant.axis,
        "name": variant.name,
        "accuracy": found.score,
        "ci_low": found.low,
        "ci_high": found.high,
        "chosen": (counts / counts.sum()).round(4).tolist(),
    }


def _axes(
    variants: Sequence[Variant], correct_VQ: np.ndarray[Any, Any], chosen_VQ: np.ndarray[Any, Any]
) -> dict[str, Any]:
    axes: dict[str, list[int]] = {}
    for i, variant in enumerate(variants):
        axes.setdefault(variant.axis, []).append(i)
    found = {}
    for axis, rows in axes.items():
        means = correct_VQ[rows].mean(1)
        best, worst = rows[int(means.argmax())], rows[int(means.argmin())]
        spread = paired_difference(correct_VQ[best], correct_VQ[worst])
        found[axis] = {
            "lowest": float(means.min()),
            "highest": float(means.max()),
            "mean": float(means.mean()),
            "deviation": float(means.std(ddof=1)) if len(rows) > 1 else math.nan,
            "spread": spread.score,
            "spread_low": spread.low,
            "spread_high": spread.high,
            "agreement": float((chosen_VQ[rows] == chosen_VQ[rows[0]]).all(0).mean()),
        }
    return found
