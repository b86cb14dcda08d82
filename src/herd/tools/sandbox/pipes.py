"""What a process writes, read as it comes, and no more of it kept than is asked for.

In: names of pipes. Out: their writing ends for a process, then the bytes so far. Never: a wait for a pipe that
stays silent, nor memory for what comes after the limit.
"""

from __future__ import annotations

import os
import selectors
import time

CHUNK_BYTES = 64 * 1024


class Pipes:
    """Several pipes by name, read together. `close` ends them."""

    def __init__(self, *names: str, most_bytes: int, free: str) -> None:
        """`most_bytes` is for all pipes together but `free`, of which little is kept in any case."""
        self._selector = selectors.DefaultSelector()
        self._kept = {name: bytearray() for name in names}
        self._room, self._free = most_bytes, free
        self._reading_ends: list[int] = []
        self.writing_ends: dict[str, int] = {}
        self.overflowed = False
        try:
            for name in names:
                self._open(name)
        except OSError:
            self.close()
            raise

    def __getitem__(self, name: str) -> bytes:
        return bytes(self._kept[name])

    def close_writing_ends(self) -> None:
        """Leave the writing to whoever inherited it, so that a pipe ends with them."""
        while self.writing_ends:
            os.close(self.writing_ends.popitem()[1])

    def read(self, wait_s: float) -> bool:
        """Read once from every pipe that has something, waiting for the first so long.

        Returns whether something came, which the end of a pipe is too.
        """
        if not self._selector.get_map():
            time.sleep(wait_s)
            return False
        ready = self._selector.select(wait_s)
        for key, _ in ready:
            chunk = os.read(key.fd, CHUNK_BYTES)
            if chunk:
                self._keep(key.data, chunk)
            else:
                self._selector.unregister(key.fd)
        return bool(ready)

    def drain(self) -> None:
        """Read what a process that has ended left behind, up to the limit."""
        while not self.overflowed and self._selector.get_map() and self.read(0):
            pass

    def close(self) -> None:
        """Close every end that is still open here."""
        self.close_writing_ends()
        self._selector.close()
        while self._reading_ends:
            os.close(self._reading_ends.pop())

    def _open(self, name: str) -> None:
        reading_end, self.writing_ends[name] = os.pipe()
        self._reading_ends.append(reading_end)
        os.set_blocking(reading_end, False)
        self._selector.register(reading_end, selectors.EVENT_READ, name)

    def _keep(self, name: str, chunk: bytes) -> None:
        kept = self._kept[name]
        if name == self._free:
            kept += chunk[: CHUNK_BYTES - len(kept)]
            return
        kept += chunk[: self._room]
        self.overflowed = self.overflowed or len(chunk) > self._room
        self._room = max(0, self._room - len(chunk))
