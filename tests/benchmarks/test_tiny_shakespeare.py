"""Tests of the parts of benchmarks/time_to_loss.py: optimizer, text, recipe, clock."""

import gzip
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def text(tmp_path):
    from tiny_shakespeare import text

    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(("to be, or not to be. " * 400).encode()))
    return text.load(path)


@pytest.mark.parametrize("shape", [(16, 16), (16, 44)])
def test_orthogonalize_applies_its_polynomials_to_the_singular_values_alone(shape):
    from tiny_shakespeare.muon import POLAR_EXPRESS, orthogonalize

    torch.manual_seed(0)
    u, _, vh = torch.linalg.svd(torch.randn(3, *shape), full_matrices=False)
    values = torch.logspace(0, -1.5, shape[0])
    result = orthogonalize(u * values @ vh).float()
    expected = values / (values.norm() * 1.01)
    for a, b, c in POLAR_EXPRESS:
        expected = a * expected + b * expected**3 + c * expected**5
    error = torch.linalg.norm(result - u * expected @ vh) / torch.linalg.norm(result)
    assert error < 0.1  # bfloat16 magnifies small values' roundings a hundred times
    level = torch.full_like(values, 1.0)
    before = torch.nn.functional.cosine_similarity(values, level, dim=0)
    after = torch.nn.functional.cosine_similarity(expected, level, dim=0)
    assert after > 0.85 > before


def test_orthogonalize_does_not_see_the_length_of_a_gradient():
    from tiny_shakespeare.muon import orthogonalize

    gradient = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        orthogonalize(gradient * 1e-3), orthogonalize(gradient), atol=0.05, rtol=0.05
    )


def test_tall_matrices_are_updated_as_their_transposes_are():
    from tiny_shakespeare.muon import AdamWGroup, Muon

    updates = []
    gradient = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    for grad in (gradient, gradient.T.contiguous()):
        matrix = torch.nn.Parameter(torch.zeros_like(grad))
        other = torch.nn.Parameter(torch.zeros(3))
        matrix.grad, other.grad = grad, torch.ones(3)
        optimizer = Muon(
            [matrix],
            [AdamWGroup(parameters=[other], lr_frac=0.5)],
            momentum=0.95,
            adamw_betas=(0.9, 0.95),
        )
        optimizer.param_groups[0]["lr"] = 0.1
        optimizer.step()
        updates.append(matrix.detach())
        torch.testing.assert_close(other.detach(), torch.full((3,), -0.05))
    torch.testing.assert_close(updates[0], updates[1].T * math.sqrt(12 / 4))


def test_one_pass_takes_no_training_character_twice(text):
    from tiny_shakespeare.text import Windows

    ids = torch.arange(1000)
    windows = Windows(ids, seed=0)
    seen = torch.cat([windows.next(4, 16)[0].flatten() for _ in range(15)])
    assert len(seen.unique()) == len(seen)
    tokens, targets = windows.next(4, 16)
    assert torch.equal(tokens + 1, targets)


@pytest.mark.parametrize("context", [7, 64, 5000])
def test_validation_counts_every_predicted_character_once(text, context):
    from tiny_shakespeare.text import validation_loss

    counted = []

    def uniform(tokens, targets):
        counted.append(targets.flatten())
        return torch.tensor(targets.numel() * math.log(text.n_symbols))

    loss = validation_loss(text.validation_N, uniform, context=context)
    assert torch.equal(torch.cat(counted), text.validation_N[1:])
    assert loss == pytest.approx(math.log(text.n_symbols), rel=1e-6)


def test_the_recipe_starts_uniform_and_learns(text):
    from tiny_shakespeare.recipe import Herd

    learner = Herd(text, seed=0)
    assert learner.validate() == pytest.approx(math.log(text.n_symbols), abs=1e-4)
    for step in range(3):
        learner.step((step + 0.5) / 3)
    assert learner.validate() < math.log(text.n_symbols) - 0.1


def test_the_clock_stands_still_while_validating():
    import time

    from tiny_shakespeare.timed import Stopwatch

    watch = Stopwatch()
    with watch.paused():
        time.sleep(0.2)
    assert watch.wall_s < 0.2


def test_a_missing_text_is_one_line_and_exit_code_2(tmp_path):
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "time_to_loss.py"), "--data", str(tmp_path / "none.gz")],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and "none.gz" in result.stderr
