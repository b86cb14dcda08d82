from hypothesis import given
from hypothesis import strategies as st

from herd.data.text_batches import text_batches


@given(st.lists(st.text(max_size=9)), st.integers(1, 20))
def test_batches_are_as_long_as_the_bound_lets_them_be(texts, most_chars):
    batches = list(text_batches(texts, most_chars))
    assert [text for batch in batches for text in batch] == texts
    lengths = [sum(map(len, batch)) for batch in batches]
    assert all(n <= most_chars or len(b) == 1 for n, b in zip(lengths, batches, strict=True))
    following = zip(lengths, batches[1:], strict=False)
    assert all(length + len(later[0]) > most_chars for length, later in following)
