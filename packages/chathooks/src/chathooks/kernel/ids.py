"""Ids: UUIDv7 event ids (RFC 9562 §5.7) and random keys. Time and randomness are given."""

import os
from collections.abc import Callable

RandomBytes = Callable[[int], bytes]

API_KEY_BYTES = 20
"""An API key is 40 lower-case hex characters (rest-api.md A3)."""

_RANDOM_TAIL_BYTES = 8
_RANDOM_POOL_BYTES = 512 * _RANDOM_TAIL_BYTES
"""Drawn at once: a system call for every id costs more than the rest of it."""
_VARIANT, _VARIANT_MASK = 0x80, 0x3F
"""Bits of the first random byte that say "RFC 9562", and those left to chance."""
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
        self._time = ""
        """What ids of `_last_ms` begin with."""
        self._tails: list[str] = []

    def _draw(self) -> None:
        """Make the random ends of the next ids: `vrrr-rrrrrrrrrrrr`, `v` with the variant's two bits."""
        pool = self._random(_RANDOM_POOL_BYTES)
        for at in range(0, _RANDOM_POOL_BYTES, _RANDOM_TAIL_BYTES):
            first = pool[at] & _VARIANT_MASK | _VARIANT
            text = pool[at + 1 : at + _RANDOM_TAIL_BYTES].hex()
            self._tails.append(f"{first:02x}{text[:2]}-{text[2:]}")

    def next(self) -> str:
        """The next event id, e.g. `evt_018f…-7…-…` (delivery contract §1)."""
        now_ms = self._wall_ms()
        if now_ms > self._last_ms:
            self._begin_millisecond(now_ms)
        elif self._counter < _COUNTER_MAX:
            self._counter += 1
        else:
            self._begin_millisecond(self._last_ms + 1)
        if not self._tails:
            self._draw()
        return f"{self._time}{self._counter:03x}-{self._tails.pop()}"

    def _begin_millisecond(self, at_ms: int) -> None:
        self._last_ms = at_ms
        self._counter = 0
        text = f"{at_ms & 0xFFFF_FFFF_FFFF:012x}"
        self._time = f"evt_{text[:8]}-{text[8:]}-7"


def api_key(random: RandomBytes) -> str:
    """A new API key: 40 lower-case hex characters (rest-api.md A3)."""
    return random(API_KEY_BYTES).hex()
