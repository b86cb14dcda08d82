"""Every example runs against the real libraries, without a network, and says what it should."""

import ast
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAYS = {
    "01_plain_loop": ["step 200: loss", "layer 0: update RMS", "layer 2: update RMS"],
    "02_transformers_trainer": ["20 steps of", "step 20:"],
    "03_lightning_trainer": ["32 steps of 2 layers", "step 32:"],
    "04_torchtitan_loop": [
        "step 50:",
        "2 optimizers",
        "layer layers.3:",
        "holds optimizer, stability",
    ],
    "06_an_awakening": ["step 301:", "ALARM", "a cold layer awakens", "awakening-guarded"],
    "05_which_mechanism": ["step 10: WATCH", "largest attention logit", "layers.1.self_attn"],
    "07_from_crawl_to_shard": [
        "#1 url: dropped, same URL (crawl.warc#2)",
        "#2 pii: changed, private data marked (1 email)",
        r"about $P = \rho g Q h$, which",
        "keeper at <EMAIL>, and",
        "#3 minhash: dropped, near-duplicate (crawl.warc#2)",
        "#4 extract: dropped, no main text",
        "shard: 1 document",
    ],
}
NEEDS = {"02": "transformers", "03": "lightning.pytorch", "04": "torchtitan", "05": "transformers"}


def test_every_example_is_listed_here_and_short() -> None:
    files = sorted(EXAMPLES.glob("*.py"))
    assert [each.stem for each in files] == sorted(SAYS)
    assert all(len(each.read_text(encoding="utf-8").splitlines()) < 60 for each in files)
    assert all(ast.get_docstring(ast.parse(each.read_text(encoding="utf-8"))) for each in files)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("name", SAYS)
def test_the_example_runs_and_says(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if name[:2] in NEEDS:
        pytest.importorskip(NEEDS[name[:2]])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert all(part in said for part in SAYS[name]), said
