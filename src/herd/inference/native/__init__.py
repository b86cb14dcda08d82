"""A step of a Llama in C, compiled for the machine it runs on at first use.

In: a model, chunks of tokens. Out: logits, and keys and values in a paged cache.
Never: a requirement; without a C compiler the plain runner does the same, slower.
"""
