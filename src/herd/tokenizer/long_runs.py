"""Cut very long runs without a change between space and non-space, as Llama 3's tokenizer does.

In: text. Out: pieces of it that joined give the text.
Never: a cut in text whose runs are short, which is to say in ordinary text.
Source: `_split_whitespaces_or_nonwhitespaces` of llama-models. Without the cut the splitting
expression overflows its stack on a million spaces, and words of megabytes take seconds to merge.
"""

import re

MAX_RUN_CHARS = 25_000
# Any run longer than the limit covers at least one whole aligned block of half its length.
BLOCK_CHARS = MAX_RUN_CHARS // 2
SPACE = re.compile(r"\s")  # Python's \s is str.isspace, the test that Meta's code applies
NON_SPACE = re.compile(r"\S")
RUN = re.compile(r"\s+|\S+")


def cut_long_runs(text: str) -> list[str]:
    """Return `[text]`, or its pieces when a run of (non-)spaces exceeds MAX_RUN_CHARS.

    Looks at a few characters in every 12,500 only, unless a block has but one kind.
    """
    if len(text) <= MAX_RUN_CHARS or not _has_uniform_block(text):
        return [text]
    cuts = [
        cut
        for run in RUN.finditer(text)
        for cut in range(run.start() + MAX_RUN_CHARS, run.end(), MAX_RUN_CHARS)
    ]
    bounds = [0, *cuts, len(text)]
    return [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def _has_uniform_block(text: str) -> bool:
    last_start = len(text) - BLOCK_CHARS
    return any(
        kind.search(text, start, start + BLOCK_CHARS) is None
        for start in range(0, last_start + 1, BLOCK_CHARS)
        for kind in (SPACE, NON_SPACE)
    )
