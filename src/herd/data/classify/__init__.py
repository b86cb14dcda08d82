"""What a text is: its language, how good it is, what it is about.

In: documents. Out: labels and scores in them; fewer documents. Never: a classifier without its own
evaluation beside it.
"""

from herd.data.classify.classifier import TextClassifier, load_classifier
from herd.data.classify.encoder import EncoderClassifier, EncoderConfig
from herd.data.classify.evaluation import Evaluation, evaluate
from herd.data.classify.label_stages import CodeReasoningStage, TopicStage
from herd.data.classify.language_stage import LanguageStage, identify
from herd.data.classify.linear_classifier import LinearClassifier, LinearConfig
from herd.data.classify.quality_stage import QualityFilter
from herd.data.classify.seed_words import CODE, REASONING, TOPICS
from herd.data.classify.seeds import SeedConfig, read_seeds
from herd.data.classify.teacher_prompt import QUALITY
from herd.data.classify.train_classifier import distil, train_classifier, train_from_seeds

__all__ = [
    "CODE",
    "CodeReasoningStage",
    "EncoderClassifier",
    "EncoderConfig",
    "Evaluation",
    "LanguageStage",
    "LinearClassifier",
    "LinearConfig",
    "QUALITY",
    "QualityFilter",
    "REASONING",
    "SeedConfig",
    "TOPICS",
    "TextClassifier",
    "TopicStage",
    "distil",
    "evaluate",
    "identify",
    "load_classifier",
    "read_seeds",
    "train_classifier",
    "train_from_seeds",
]
