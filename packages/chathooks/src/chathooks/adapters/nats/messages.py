"""News as they travel: a JSON object from topics to keys, `{"feed":[0],"webhook":[17,4]}`.

A key of -1 stands for all keys of its topic. What is gathered for one message is bounded: a topic with too many keys
becomes one with all. So no message has more than a few thousand bytes, however long the broker was away.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import msgspec

from chathooks.kernel.news import EVERYTHING
from chathooks.kernel.transactions import Topic

KEYS_MAX = 256
"""Keys of one topic in one message."""
MESSAGE_BYTES_MAX = 64 * 1024
"""Of a message that is looked at. The largest that is sent has half of that."""

_INT64_MAX = 2**63 - 1
_Key = Annotated[int, msgspec.Meta(ge=EVERYTHING, le=_INT64_MAX)]
_DECODER = msgspec.json.Decoder(dict[str, list[_Key]])
_ENCODER = msgspec.json.Encoder()
_TOPICS = {topic.value: topic for topic in Topic}


class UnreadableNews(Exception):
    """A message that is no news, or has news of topics that this version does not know."""


class Gathered:
    """News that wait to be sent, each once."""

    def __init__(self) -> None:
        self._keys: dict[Topic, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __len__(self) -> int:
        """Keys held, over all topics."""
        return sum(len(keys) for keys in self._keys.values())

    def add(self, topic: Topic, key: int) -> None:
        """Take one in."""
        keys = self._keys.setdefault(topic, set())
        if EVERYTHING in keys:
            return
        if key == EVERYTHING or (len(keys) >= KEYS_MAX and key not in keys):
            keys.clear()
            key = EVERYTHING
        keys.add(key)

    def add_everything(self) -> None:
        """All keys of all topics."""
        for topic in Topic:
            self.add(topic, EVERYTHING)

    def take(self) -> bytes:
        """All that is held, as a message; nothing is held afterwards."""
        keys, self._keys = self._keys, {}
        return encode(keys)


def encode(keys: Mapping[Topic, Iterable[int]]) -> bytes:
    """News as a message."""
    return _ENCODER.encode({topic.value: sorted(each) for topic, each in keys.items()})


def decode(data: bytes) -> Iterator[tuple[Topic, int]]:
    """The news of a message that this version knows.

    Raises:
        UnreadableNews: the message is none, before anything is given; or, after all that is known, there was more.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise UnreadableNews(f"a message of {len(data)} bytes")
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableNews("a message that is no news") from None
    known = [(_TOPICS[name], keys) for name, keys in found.items() if name in _TOPICS]
    for topic, keys in known:
        for key in keys:
            yield topic, key
    if len(known) < len(found):
        raise UnreadableNews("news of a topic that this version does not know")
