import gc

import pytest

from herd.foundation import collector_paused


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_goes_on_as_it_was_before(is_enabled: bool) -> None:
    was_enabled = gc.isenabled()
    (gc.enable if is_enabled else gc.disable)()
    try:
        with pytest.raises(KeyError), collector_paused():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == is_enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
