"""How text is cut into words before merging: the regular expressions and the names they go by.

In: nothing, or the `tokenizer.ggml.pre` of a GGUF file. Out: patterns.
Never: merging.
Source: tiktoken's `pat_str` of Llama 3 (llama-models); the names are llama.cpp's.
"""

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# The same alternatives in the same order, so the same matches. But the five that need no
# look-ahead stand in a group of their own, which tiktoken's regular-expression engine hands to its
# fast automaton as one piece instead of trying them one after the other.
LLAMA3_GROUPED_PATTERN = (
    r"(?:(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)|\s+(?!\S)|\s+"
)
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2_PATTERN = LLAMA3_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")
DIGIT_PATTERN = r"\p{N}"

# `tokenizer.ggml.pre` -> the patterns applied one after the other, each to the pieces of the last.
GGUF_PATTERNS: dict[str, tuple[str, ...]] = {
    "llama-bpe": (LLAMA3_PATTERN,),
    "llama3": (LLAMA3_PATTERN,),
    "llama-v3": (LLAMA3_PATTERN,),
    "default": (GPT2_PATTERN,),
    "gpt2": (GPT2_PATTERN,),
    "gpt-2": (GPT2_PATTERN,),
    "smollm": (DIGIT_PATTERN, GPT2_PATTERN),
    "starcoder": (DIGIT_PATTERN, GPT2_PATTERN),
    "qwen2": (QWEN2_PATTERN,),
}
# llama.cpp takes a word that is in the vocabulary whole, without merging, for these only.
GGUF_IGNORES_MERGES = frozenset({"llama-bpe", "llama3", "llama-v3"})
