"""What is said when a corpus is done: what could not be read, what each stage dropped, what was packed.

In: the directory that `curate` made. Out: a few lines of text. Never: markup.
"""

from collections.abc import Iterator
from pathlib import Path

from herd.data.curation import explain_damage, nothing_left
from herd.data.inspection.corpus_view import CorpusView, view_corpus
from herd.foundation import format_bytes, format_count


def closing_words(directory: Path | str) -> str:
    """Return the lines. Raises UserError when the corpus is unfinished or damaged."""
    view = view_corpus(directory)
    with explain_damage(directory):
        return "\n".join([*_not_read(view), *_dropped(view), *_packed(view), _kept(view)])


def _not_read(view: CorpusView) -> Iterator[str]:
    for event, n, names in view.unread:
        yield f"not read, or not wholly: {n:,} {event} ({names[0]}{', ...' if n > 1 else ''})"


def _dropped(view: CorpusView) -> Iterator[str]:
    for row in view.funnel:
        stage, n_in = row["stage"], row["documents_in"]
        n_gone = n_in - row["documents_out"]
        if n_gone < 0:
            yield f"{stage}: {-n_gone:,} copies more than the {n_in:,} documents that came in"
        else:
            yield f"{stage}: {n_gone:,} of {n_in:,} documents dropped"


def _packed(view: CorpusView) -> Iterator[str]:
    if not view.packed:
        return
    tokens = ", ".join(
        f"{format_count(one['n_tokens'])} tokens in {split}" for split, one in view.packed.items()
    )
    vocab_size = next(iter(view.packed.values()))["vocab_size"]
    asked = view.manifest["recipe"]["packing"]["vocab_size"]
    fewer = f" (the text had not enough pairs for {asked:,})" if vocab_size < asked else ""
    yield f"packed {tokens}, vocabulary of {vocab_size:,}{fewer}"


def _kept(view: CorpusView) -> str:
    (n_read, _), (n_kept, n_bytes) = view.total("read"), view.total("kept")
    kept = (
        f"kept {format_count(n_kept)} of {format_count(n_read)} documents, {format_bytes(n_bytes)}"
    )
    return kept if n_kept else f"{nothing_left(view.manifest)}; {kept}"
