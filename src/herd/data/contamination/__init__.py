"""What of a benchmark stands in the corpus, and what a model gained from it.

In: benchmarks' files, documents, a model's right and wrong answers. Out: documents that overlap, named or
dropped; each example's score; the gain, where there is enough to say. Never: a benchmark's file run.
"""

from herd.data.contamination.benchmark_examples import Example, read_examples
from herd.data.contamination.benchmark_grams import BenchmarkGrams, TextOverlap
from herd.data.contamination.contamination_stage import ContaminationStage, read_seen
from herd.data.contamination.gain import GainEstimate, ModelGain, ThresholdGain, estimate_gain
from herd.data.contamination.overlap import example_score
from herd.data.contamination.report import contamination_report, show_contamination

__all__ = [
    "BenchmarkGrams",
    "ContaminationStage",
    "Example",
    "GainEstimate",
    "ModelGain",
    "TextOverlap",
    "ThresholdGain",
    "contamination_report",
    "estimate_gain",
    "example_score",
    "read_examples",
    "read_seen",
    "show_contamination",
]
