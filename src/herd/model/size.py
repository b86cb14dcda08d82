"""How large a model is and how much arithmetic it costs, from its config alone.

In: a `ModelConfig`. Out: counts of parameters and of floating-point operations.
Never: memory plans or times; those depend on the machine.
"""

from herd.model.config import ModelConfig


def parameter_count(config: ModelConfig) -> int:
    """Return the number of parameters; a tied output head is counted once."""
    head = 0 if config.tie_embeddings else config.vocab_size * config.dim
    norms = (2 * config.n_layers + 1) * config.dim
    embedding = config.vocab_size * config.dim
    return embedding + config.n_layers * _block_matrices(config) + norms + head


def flops_per_token(config: ModelConfig, context: int) -> int:
    """Return the operations of one token's forward and backward pass at this context length.

    6 N + 12 L H C T (PaLM, arXiv 2204.02311, appendix B): two operations per multiply-add, backward
    twice the forward; N are the parameters used in matrix products (the output head, also when
    tied; not the embedding table or the norms). Attention is counted over the whole context
    although causality needs half of it, and recomputation is not counted; both are the custom of
    the field for model FLOP/s utilisation.
    """
    matrices = config.n_layers * _block_matrices(config) + config.vocab_size * config.dim
    attention = config.n_layers * config.n_heads * config.head_dim * context
    return 6 * matrices + 12 * attention


def _block_matrices(config: ModelConfig) -> int:
    attention = 2 * config.dim * config.head_dim * (config.n_heads + config.n_kv_heads)
    return attention + 3 * config.dim * config.ffn_dim
