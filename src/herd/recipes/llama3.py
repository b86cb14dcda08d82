"""Llama 3's initial pre-training: Llama 3 paper (arXiv 2407.21783), section 3.4.1 and table 3.

The paper gives the recipe of the 405B and says that 8B and 70B are similar; their batch ramp and
length are taken to be the same. Two figures look like misprints (252M tokens at 4M is 60 steps
only) and stand as printed; change them with `--set`. The mix of sources is not public: name your
own with `--set corpus.sources.0.location=...`. Betas and epsilon are unreported; Llama 2's.
"""

from herd.model import ModelConfig, llama3_8b, llama3_70b, llama31_405b
from herd.pretraining import CorpusConfig, InitialConfig, TokenizerConfig
from herd.recipes.recipe import Recipe
from herd.training import BatchStage, LoopConfig, OptimizerConfig, ScheduleConfig

# Section 3.4.1: 4M tokens of 4,096; after 252M tokens 8M of 8,192; after 2.87T tokens 16M.
RAMP = (
    BatchStage(from_tokens=0, batch_tokens=1024 * 4096, context=4096),
    BatchStage(from_tokens=252_000_000, batch_tokens=1024 * 8192, context=8192),
    BatchStage(from_tokens=2_870_000_000_000, batch_tokens=2048 * 8192, context=8192),
)
HORIZON_TOKENS = 15_600_000_000_000  # section 3.1: 15.6T, of which the later stages are a part
# 8,000 steps of warm-up: 61 at 4M and 7,939 at 8M. 1,200,000 steps of cosine: as many at 4M,
# 342,162 in all up to 2.87T tokens, the rest at 16M; so it does not end before the run does.
WARMUP_TOKENS = 61 * RAMP[0].batch_tokens + 7_939 * RAMP[1].batch_tokens
STEPS_BEFORE_16M = 61 + 342_101
DECAY_UNTIL_TOKENS = 2_870_000_000_000 + (1_200_000 - STEPS_BEFORE_16M) * RAMP[2].batch_tokens


def llama3_8b_recipe() -> Recipe:
    """Llama 3 8B: peak learning rate 3e-4 (table 3)."""
    return _recipe("llama3_8b", llama3_8b(), peak_lr=3e-4)


def llama3_70b_recipe() -> Recipe:
    """Llama 3 70B: peak learning rate 1.5e-4 (table 3)."""
    return _recipe("llama3_70b", llama3_70b(), peak_lr=1.5e-4)


def llama3_405b_recipe() -> Recipe:
    """Llama 3 405B: peak learning rate 8e-5 (table 3 and section 3.4.1)."""
    return _recipe("llama3_405b", llama31_405b(), peak_lr=8e-5)


def _recipe(name: str, model: ModelConfig, *, peak_lr: float) -> Recipe:
    return Recipe(
        name=name,
        source="Llama 3 paper, section 3.4.1 and table 3",
        model=model,
        corpus=CorpusConfig.of("corpus"),
        tokenizer=TokenizerConfig(vocab_size=128_256),  # section 3.2: 128K, special ones included
        initial=InitialConfig(
            optimizer=OptimizerConfig(
                beta1=0.9, beta2=0.95, epsilon=1e-5, weight_decay=0.1
            ),  # AdamW (section 3.4.1); constants unreported
            loop=LoopConfig(
                horizon_tokens=HORIZON_TOKENS,
                batch=RAMP,
                schedule=ScheduleConfig(  # section 3.4.1: cosine from 8e-5 to 8e-7
                    peak_lr=peak_lr,
                    warmup_tokens=WARMUP_TOKENS,
                    final_lr_frac=0.01,
                    decay_until_tokens=DECAY_UNTIL_TOKENS,
                ),
                clip_norm=1.0,  # unreported; Llama 2's
                micro_batch_tokens=8192,
                checkpoint_every_tokens=1000 * RAMP[1].batch_tokens,
            ),
            recompute=True,
            validate_every_tokens=1000 * RAMP[1].batch_tokens,
            validate_tokens=RAMP[1].batch_tokens,
        ),
    )
