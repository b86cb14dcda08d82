"""The rules of thumb by which a text is refused, with the bounds that were published.

Gopher: Rae et al. 2021, table A1. C4: Raffel et al. 2020, section 2.2. FineWeb: Penedo et al. 2024. The
Llama 3 paper names such rules (section 3.1.1) and gives no bounds.
In: the statistics of a text. Out: the reason of the first rule that it breaks, with the number.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from herd.data.heuristics.stop_words import count_stop_words
from herd.data.heuristics.text_statistics import TextStatistics, repeated_fractions

Broken = tuple[str, str]  # reason, detail
FIRST_WORDS = 1000  # in which nearly every text has its stop words
BULLETS = ("•", "-", "*", "·", "‣", "▪", "●", "–")
ELLIPSES = ("...", "…")
TERMINAL = (".", "!", "?", '"', "”", "’", "।", "。", "…", ":", ")")


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthRule:
    """Words of a text and characters of its words (Gopher)."""

    min_words: int = 50
    max_words: int = 100_000
    min_mean_word_chars: float = 3.0
    max_mean_word_chars: float = 10.0

    def broken(self, text: TextStatistics) -> Iterator[Broken]:
        """Yield the first bound that the text is beyond."""
        yield from _below("too few words", text.n_words, self.min_words)
        yield from _above("too many words", text.n_words, self.max_words)
        yield from _below("words too short", text.mean_word_chars, self.min_mean_word_chars)
        yield from _above("words too long", text.mean_word_chars, self.max_mean_word_chars)


@dataclass(frozen=True, kw_only=True, slots=True)
class RatioRule:
    """What a text consists of (Gopher; digits and capitals are ours)."""

    max_symbols_per_word: float = 0.1
    max_digit_fraction: float = 0.2
    max_capital_fraction: float = 0.5
    min_alphabetic_fraction: float = 0.8
    max_bullet_lines: float = 0.9
    max_ellipsis_lines: float = 0.3

    def broken(self, text: TextStatistics) -> Iterator[Broken]:
        """Yield the first bound that the text is beyond."""
        yield from _above("symbol ratio", text.symbols_per_word, self.max_symbols_per_word)
        yield from _above("digit ratio", text.digit_fraction, self.max_digit_fraction)
        yield from _above("capital ratio", text.capital_fraction, self.max_capital_fraction)
        yield from _below(
            "alphabetic ratio", text.alphabetic_fraction, self.min_alphabetic_fraction
        )
        n_lines = max(len(text.lines), 1)
        bullets = sum(line.startswith(BULLETS) for line in text.lines) / n_lines
        yield from _above("bullet lines", bullets, self.max_bullet_lines)
        ellipses = sum(line.endswith(ELLIPSES) for line in text.lines) / n_lines
        yield from _above("ellipsis lines", ellipses, self.max_ellipsis_lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class RepetitionRule:
    """How much of a text it says twice (Gopher): lines, paragraphs, runs of words within them.

    The runs also catch logs and error messages, whose lines are long and none like another.
    """

    max_lines: float = 0.3
    max_line_chars: float = 0.2
    max_paragraphs: float = 0.3
    max_paragraph_chars: float = 0.2
    max_top_runs: tuple[float, ...] = (0.20, 0.18, 0.16)  # of 2, 3, 4 words
    max_duplicate_runs: tuple[float, ...] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)  # of 5 to 10

    def broken(self, text: TextStatistics, *, runs: bool = True) -> Iterator[Broken]:
        """Yield the first bound that the text is beyond; `runs` off for languages without spaces."""
        lines, line_chars = repeated_fractions(text.lines)
        yield from _above("repeated lines", lines, self.max_lines)
        yield from _above("repeated line characters", line_chars, self.max_line_chars)
        paragraphs, paragraph_chars = repeated_fractions(text.paragraphs)
        yield from _above("repeated paragraphs", paragraphs, self.max_paragraphs)
        yield from _above(
            "repeated paragraph characters", paragraph_chars, self.max_paragraph_chars
        )
        if runs:
            yield from self._top_runs(text)
            yield from self._duplicate_runs(text)

    def _top_runs(self, text: TextStatistics) -> Iterator[Broken]:
        for n_words, most in enumerate(self.max_top_runs, start=2):
            share = text.top_run_fraction(n_words)
            yield from _above("one run of words", share, most, f"of {n_words} words")
            # A longer run is no more frequent than the shorter ones in it.
            if share / n_words * (len(self.max_top_runs) + 1) <= min(self.max_top_runs):
                return

    def _duplicate_runs(self, text: TextStatistics) -> Iterator[Broken]:
        for n_words, most in enumerate(self.max_duplicate_runs, start=5):
            least = min(self.max_duplicate_runs)
            if text.most_duplicate_fraction(n_words) <= least:
                return  # nor are longer runs repeated more
            share = text.duplicate_fraction(n_words)
            yield from _above("repeated runs of words", share, most, f"of {n_words} words")
            if share <= least:
                return


@dataclass(frozen=True, kw_only=True, slots=True)
class StopWordRule:
    """Different stop words of the text's language, where it is one of the eight (Gopher: two)."""

    min_stop_words: int = 2

    def broken(self, text: TextStatistics, language: str) -> Iterator[Broken]:
        """Yield the bound if the text has fewer."""
        words = text.hashed_words
        found = count_stop_words(words[:FIRST_WORDS], language)
        if found is not None and found < self.min_stop_words:
            found = count_stop_words(words, language)
        if found is not None:
            yield from _below("stop words", found, self.min_stop_words)


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRule:
    """Signs of a page that is no text (C4, FineWeb)."""

    lorem_ipsum: bool = True
    max_javascript_lines: float = 0.1
    max_curly_per_word: float = 0.05
    min_terminal_lines: float = 0.12  # FineWeb; of lines, for languages that end sentences so
    max_short_lines: float = 0.67  # FineWeb: lines of at most 30 characters

    def broken(self, text: TextStatistics) -> Iterator[Broken]:
        """Yield the first sign."""
        lowered = text.text[:100_000].lower()
        if self.lorem_ipsum and "lorem ipsum" in lowered:
            yield "lorem ipsum", ""
        n_lines = max(len(text.lines), 1)
        if "javascript" in lowered:
            scripts = sum("javascript" in line.lower() for line in text.lines) / n_lines
            yield from _above("javascript", scripts, self.max_javascript_lines)
        curly = text.text.count("{") / max(text.n_words, 1)
        yield from _above("curly braces", curly, self.max_curly_per_word)
        ended = sum(line.endswith(TERMINAL) for line in text.lines) / n_lines
        yield from _below("lines without an end", ended, self.min_terminal_lines)
        short = sum(len(line) <= 30 for line in text.lines) / n_lines
        yield from _above("short lines", short, self.max_short_lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeRule:
    """Source code: long lines, data, generated files (Kocetkov et al. 2022, The Stack)."""

    max_line_chars: int = 1000
    max_mean_line_chars: float = 100.0
    min_alphanumeric_fraction: float = 0.25
    generated: bool = True

    def broken(self, text: TextStatistics) -> Iterator[Broken]:
        """Yield the first bound that the file is beyond."""
        lengths = [len(line) for line in text.text.split("\n")]
        yield from _above("long lines", max(lengths), self.max_line_chars)
        mean = sum(lengths) / len(lengths)
        yield from _above("long lines on average", mean, self.max_mean_line_chars)
        n_chars = max(len(text.text), 1)
        alphanumeric = sum(map(str.isalnum, text.text[:100_000])) / min(n_chars, 100_000)
        yield from _below("alphanumeric ratio", alphanumeric, self.min_alphanumeric_fraction)
        head = text.text[:2000].lower()
        marks = ("do not edit", "auto-generated", "autogenerated", "automatically generated")
        if self.generated and any(mark in head for mark in marks):
            yield "generated file", ""


def _above(reason: str, value: float, most: float, what: str = "") -> Iterator[Broken]:
    if value > most:
        yield reason, f"{value:.3g} {what}, more than {most:g}".replace(" ,", ",")


def _below(reason: str, value: float, least: float) -> Iterator[Broken]:
    if value < least:
        yield reason, f"{value:.3g}, less than {least:g}"
