"""Llama 2's pre-training: Llama 2 paper (arXiv 2307.09288), section 2 and table 1.

The mixture of sources is unreported: name your own with `--set corpus.sources.0.location=...`.
Unreported too, and chosen here: the micro-batch, how often to validate and to save.
"""

from herd.model import ModelConfig, llama2_7b, llama2_13b, llama2_34b, llama2_70b
from herd.pretraining import CorpusConfig, InitialConfig, TokenizerConfig
from herd.recipes.recipe import Recipe
from herd.training import BatchStage, LoopConfig, OptimizerConfig, ScheduleConfig

CONTEXT = 4096  # table 1
BATCH_TOKENS = 1024 * CONTEXT  # section 2.2: "a global batch-size of 4M tokens" (table 1)
HORIZON_TOKENS = 2_000_000_000_000  # table 1: 2.0T for every size
WARMUP_STEPS = 2000  # section 2.2


def llama2_7b_recipe() -> Recipe:
    """Llama 2 7B: peak learning rate 3.0e-4 (table 1)."""
    return _recipe("llama2_7b", llama2_7b(), peak_lr=3.0e-4)


def llama2_13b_recipe() -> Recipe:
    """Llama 2 13B: peak learning rate 3.0e-4 (table 1)."""
    return _recipe("llama2_13b", llama2_13b(), peak_lr=3.0e-4)


def llama2_34b_recipe() -> Recipe:
    """Llama 2 34B: peak learning rate 1.5e-4 (table 1); trained but never released."""
    return _recipe("llama2_34b", llama2_34b(), peak_lr=1.5e-4)


def llama2_70b_recipe() -> Recipe:
    """Llama 2 70B: peak learning rate 1.5e-4 (table 1)."""
    return _recipe("llama2_70b", llama2_70b(), peak_lr=1.5e-4)


def _recipe(name: str, model: ModelConfig, *, peak_lr: float) -> Recipe:
    return Recipe(
        name=name,
        source="Llama 2 paper, section 2 and table 1",
        model=model,
        corpus=CorpusConfig.of("corpus"),
        tokenizer=TokenizerConfig(vocab_size=32_000),  # section 2.2.2
        initial=InitialConfig(
            optimizer=OptimizerConfig(
                beta1=0.9, beta2=0.95, epsilon=1e-5, weight_decay=0.1
            ),  # section 2.2
            loop=LoopConfig(
                horizon_tokens=HORIZON_TOKENS,
                batch=(BatchStage(from_tokens=0, batch_tokens=BATCH_TOKENS, context=CONTEXT),),
                schedule=ScheduleConfig(  # section 2.2: cosine to 10% of the peak
                    peak_lr=peak_lr,
                    warmup_tokens=WARMUP_STEPS * BATCH_TOKENS,
                    final_lr_frac=0.1,
                ),
                clip_norm=1.0,  # section 2.2
                micro_batch_tokens=CONTEXT,
                checkpoint_every_tokens=1000 * BATCH_TOKENS,
            ),
            recompute=True,
            validate_every_tokens=1000 * BATCH_TOKENS,
            validate_tokens=BATCH_TOKENS,
        ),
    )
