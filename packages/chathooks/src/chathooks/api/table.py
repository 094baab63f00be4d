"""Which route serves a request: compiled once, looked up per request without trying patterns in turn."""

from collections.abc import Iterable
from typing import Generic, TypeVar
from urllib.parse import unquote

from chathooks.api.problems import bad_request

E = TypeVar("E")


class _Node(Generic[E]):
    __slots__ = ("by_method", "fixed", "parameter")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node[E]] = {}
        self.parameter: _Node[E] | None = None
        self.by_method: dict[str, tuple[E, tuple[str, ...]]] = {}


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def decode_segment(segment: str) -> str:
    """Percent-decode one path segment, once. Raises ERR_BAD_REQUEST where it is not UTF-8 or has a NUL."""
    try:
        decoded = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise bad_request("The path is not valid UTF-8.", {"path": "is not UTF-8"}) from None
    if "\0" in decoded:
        raise bad_request("The path has a NUL character.", {"path": "has a NUL character"})
    return decoded


class RouteTable(Generic[E]):
    """Finds what was registered for a method and path. A literal segment wins over a parameter."""

    def __init__(self, entries: Iterable[tuple[str, str, E]]) -> None:
        """Compile `(method, pattern, entry)`, e.g. `("GET", "/users/{uid}", entry)`.

        Raises:
            ValueError: two entries have the same method and pattern.
        """
        self._static: dict[tuple[str, bytes], E] = {}
        self._root: _Node[E] = _Node()
        for method, pattern, entry in entries:
            self._add(method, pattern, entry)

    def _add(self, method: str, pattern: str, entry: E) -> None:
        node = self._root
        names = []
        for segment in pattern.split("/")[1:]:
            if _is_parameter(segment):
                names.append(segment[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.fixed.setdefault(segment, _Node())
        if method in node.by_method:
            raise ValueError(f"two routes for {method} {pattern}")
        node.by_method[method] = (entry, tuple(names))
        if not names:
            self._static[(method, pattern.encode("ascii"))] = entry

    def find(self, method: str, raw_path: bytes) -> tuple[E, dict[str, str]] | None:
        """The entry and its path parameters, percent-decoded once; None where there is no such route.

        Raises:
            ChathooksError: ERR_BAD_REQUEST where a segment is not UTF-8 or has a NUL character.
        """
        entry = self._static.get((method, raw_path))
        if entry is not None:
            return entry, {}
        segments = raw_path.decode("latin-1").split("/")[1:]
        if "%" in (text := "/".join(segments)) or not text.isascii():
            segments = [decode_segment(segment) for segment in segments]
        found = _walk(self._root, method, segments, 0, [])
        if found is None:
            return None
        (entry, names), values = found
        return entry, dict(zip(names, values, strict=True))


def _walk(
    node: _Node[E], method: str, segments: list[str], depth: int, values: list[str]
) -> tuple[tuple[E, tuple[str, ...]], list[str]] | None:
    # As deep as the longest pattern at most: a longer path finds no node.
    if depth == len(segments):
        found = node.by_method.get(method)
        return None if found is None else (found, values)
    segment = segments[depth]
    fixed = node.fixed.get(segment)
    if fixed is not None:
        match = _walk(fixed, method, segments, depth + 1, values)
        if match is not None:
            return match
    if node.parameter is not None and segment:
        return _walk(node.parameter, method, segments, depth + 1, [*values, segment])
    return None
