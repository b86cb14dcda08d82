"""The smallest recipe: the whole pipeline in under a minute on a CPU.

Same shape as the largest. It reads the running Python's `json`, `email` and a few more packages unless told otherwise, so it
needs nothing but Python; it is what the integration tests run.
"""

from herd.data import SourceConfig
from herd.model import ModelConfig
from herd.pretraining import CorpusConfig, InitialConfig, TokenizerConfig
from herd.recipes.recipe import Recipe
from herd.training import BatchStage, LoopConfig, OptimizerConfig, ScheduleConfig

VOCABULARY = 768
CONTEXT = 128
BATCH_TOKENS = 8 * CONTEXT
PACKAGES = ("json/*.py", "email/*.py", "http/*.py", "urllib/*.py", "logging/*.py")


def tiny() -> Recipe:
    """Return a Llama of about 0.4 million parameters and 200 steps."""
    return Recipe(
        name="tiny",
        source="ours: the shape of Llama 3, as small as still learns",
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
        corpus=CorpusConfig(sources=(SourceConfig(location="python:stdlib", include=PACKAGES),)),
        tokenizer=TokenizerConfig(vocab_size=VOCABULARY),
        initial=InitialConfig(
            optimizer=OptimizerConfig(),
            loop=LoopConfig(
                horizon_tokens=200 * BATCH_TOKENS,
                batch=(BatchStage(from_tokens=0, batch_tokens=BATCH_TOKENS, context=CONTEXT),),
                schedule=ScheduleConfig(
                    peak_lr=4e-3, warmup_tokens=20 * BATCH_TOKENS, final_lr_frac=0.1
                ),
                micro_batch_tokens=BATCH_TOKENS,
                checkpoint_every_tokens=50 * BATCH_TOKENS,
            ),
            validate_every_tokens=50 * BATCH_TOKENS,
            validate_tokens=16 * CONTEXT,
            sample_every_tokens=100 * BATCH_TOKENS,
            sample_prompts=("def", "import", "    return"),
        ),
    )
