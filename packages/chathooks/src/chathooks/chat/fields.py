"""Checks and stored forms of fields that several chat objects share: urls, tags, metadata."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chathooks.chat.limits import METADATA_BYTES_MAX
from chathooks.kernel.errors import ChathooksError

_PRIVATE = "@private"
_encode = msgspec.json.Encoder().encode


def refuse(field: str, problem: str) -> ChathooksError:
    """ERR_BAD_REQUEST about one field."""
    return ChathooksError("ERR_BAD_REQUEST", f"{field} {problem}.", {field: problem})


def checked_url(field: str, url: str | None) -> str | None:
    """The url, None where it is empty. Raises ERR_BAD_REQUEST unless it is http(s) without spaces."""
    if not url:
        return None
    scheme, separator, rest = url.partition("://")
    if scheme.lower() not in ("http", "https") or not separator or not rest or " " in url:
        raise refuse(field, "must be an http or https address without spaces")
    return url


def stored_tags(tags: Sequence[str] | None) -> str | None:
    """The tags as JSON array, each once; None where there are none."""
    return _encode(list(dict.fromkeys(tags))).decode() if tags else None


def stored_metadata(metadata: Mapping[str, Any] | None) -> tuple[str | None, str | None]:
    """The metadata as two JSON texts: what all may see, and what stands under `@private`.

    Raises:
        ChathooksError: ERR_INVALID_METADATA where it is larger than 5 KB.
    """
    if metadata is None:
        return None, None
    encoded = _encode(metadata)
    if len(encoded) > METADATA_BYTES_MAX:
        raise ChathooksError(
            "ERR_INVALID_METADATA",
            f"metadata has {len(encoded)} bytes as JSON; at most {METADATA_BYTES_MAX} are kept.",
            {"metadata": f"is larger than {METADATA_BYTES_MAX} bytes"},
        )
    if _PRIVATE not in metadata:
        return encoded.decode(), None
    public = {key: value for key, value in metadata.items() if key != _PRIVATE}
    return _encode(public).decode(), _encode(metadata[_PRIVATE]).decode()


def whole_metadata(public: str | None, private: str | None) -> str | None:
    """The JSON text of the metadata with what is private put back under `@private`."""
    if private is None:
        return public
    inner = (public or "{}").strip()[1:-1]
    return "{" + inner + ("," if inner else "") + f'"{_PRIVATE}":{private}' + "}"
