"""Ids: UUIDv7 event ids (RFC 9562 §5.7) and random keys. Time and randomness are given."""

import os
from collections.abc import Callable

RandomBytes = Callable[[int], bytes]

API_KEY_BYTES = 20
"""An API key is 40 lower-case hex characters (rest-api.md A3)."""

_RANDOM_TAIL_BYTES = 8
_RANDOM_POOL_BYTES = 512 * _RANDOM_TAIL_BYTES
"""Drawn at once: a system call for every id costs more than the rest of it."""
_COUNTER_BITS = 12
_COUNTER_MAX = (1 << _COUNTER_BITS) - 1


def system_random(size: int) -> bytes:
    """`size` bytes from the operating system's generator."""
    return os.urandom(size)


class EventIds:
    """Makes `evt_` + UUIDv7; ids made by one instance are strictly increasing."""

    def __init__(self, wall_ms: Callable[[], int], random: RandomBytes) -> None:
        self._wall_ms = wall_ms
        self._random = random
        self._last_ms = 0
        self._counter = 0
        self._pool = b""
        self._drawn = 0

    def _tail(self) -> bytes:
        if self._drawn >= len(self._pool):
            self._pool = self._random(_RANDOM_POOL_BYTES)
            self._drawn = 0
        self._drawn += _RANDOM_TAIL_BYTES
        return self._pool[self._drawn - _RANDOM_TAIL_BYTES : self._drawn]

    def next(self) -> str:
        """The next event id, e.g. `evt_018f…-7…-…` (delivery contract §1)."""
        now_ms = self._wall_ms()
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            self._counter = 0
        elif self._counter < _COUNTER_MAX:
            self._counter += 1
        else:
            self._last_ms += 1
            self._counter = 0
        tail = int.from_bytes(self._tail(), "big") & 0x3FFF_FFFF_FFFF_FFFF
        value = (
            (self._last_ms & 0xFFFF_FFFF_FFFF) << 80
            | 0x7 << 76
            | self._counter << 64
            | 0b10 << 62
            | tail
        )
        text = f"{value:032x}"
        return f"evt_{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def api_key(random: RandomBytes) -> str:
    """A new API key: 40 lower-case hex characters (rest-api.md A3)."""
    return random(API_KEY_BYTES).hex()
