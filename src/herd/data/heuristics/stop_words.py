"""The commonest small words of Llama 3's eight languages, which running text cannot do without.

In: hashed words, a language. Out: how many different ones occur.
"""

from functools import lru_cache

import numpy as np

from herd.data.word_hashes import Hashes, word_hashes

STOP_WORDS = {
    "en": "the be to of and that have with is was for it in on as at by this from not are",
    "de": "der die das und ist nicht ein eine zu den mit von im auf für sich des dem auch wie",
    "fr": "le la les de des du et un une est que qui dans pour pas sur au il elle ce en",
    "it": "il la le di che e un una per non del della con sono nel è gli alla da si",
    "pt": "o a os as de que e do da em um uma para com não por no na se mais",
    "es": "el la los las de que y en un una por con para no se del al lo es su",
    "hi": "के का की है में से को और पर यह ने हैं कि एक था लिए भी नहीं",
}
# Thai puts no spaces between words; what stands here is looked for as it is.


def count_stop_words(words: Hashes, language: str) -> int | None:
    """Return how many different stop words occur, None for a language of which none are known.

    A text of unknown language is taken for English.
    """
    known = _hashes(language or "en")
    if known is None:
        return None
    at = np.minimum(np.searchsorted(known, words), known.size - 1)
    return int(np.unique(at[known[at] == words]).size)


@lru_cache(maxsize=16)
def _hashes(language: str) -> Hashes | None:
    words = STOP_WORDS.get(language)
    return np.unique(word_hashes(words)) if words else None
