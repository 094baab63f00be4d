"""Bodies and queries: from bytes to structs, with refusals that name the field.

What the rest of the server need not think of again: no string has a NUL character or a lone surrogate, no
document is nested deeper than JSON_DEPTH_MAX, no number in a query is beyond 64 bits.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from chathooks.api.problems import bad_request
from chathooks.kernel.errors import ChathooksError

BODY_BYTES_MAX = 1024 * 1024
JSON_DEPTH_MAX = 64
QUERY_BYTES_MAX = 8192
QUERY_FIELDS_MAX = 200
INTEGER_MAX = 2**63 - 1

_LOCATION = re.compile(r"^(?P<reason>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_FIELD = re.compile(
    r"^Object (?:contains|missing) (?P<what>unknown|required) field `(?P<name>.*)`$"
)
_QUOTED_CHARS_MAX = 200

_sequences = (
    msgspec.inspect.ListType,
    msgspec.inspect.SetType,
    msgspec.inspect.FrozenSetType,
    msgspec.inspect.VarTupleType,
)


def _refusal(error: msgspec.ValidationError, where: str) -> ChathooksError:
    """ERR_BAD_REQUEST from msgspec's words, e.g. "Expected `int`, got `str` - at `$.page`"."""
    match = _LOCATION.match(str(error))
    reason = match["reason"] if match else str(error)
    path = (match["path"] if match else None) or "$"
    name = path.removeprefix("$").removeprefix(".")
    if field := _FIELD.match(reason):
        name = f"{name}.{field['name']}" if name else field["name"]
        reason = "is required" if field["what"] == "required" else "is not a field of this call"
    name = name[:_QUOTED_CHARS_MAX] or where
    reason = reason.replace("`", "")[:_QUOTED_CHARS_MAX]
    return bad_request(f"The {where} is not valid: {name}: {reason}.", {name: reason})


# -- bodies ----------------------------------------------------------------------------------------------


def _check_text(text: str) -> None:
    if "\0" in text:
        raise bad_request(
            "The body has a NUL character in a string; remove it.", {"body": "has a NUL"}
        )


def _check_tree(body: bytes) -> None:
    """Look at every string and the depth of a document that may be out of bounds."""
    level: list[Any] = [msgspec.json.decode(body)]
    depth = 0
    while level:
        if depth > JSON_DEPTH_MAX:
            raise bad_request(
                f"The body is nested deeper than {JSON_DEPTH_MAX} levels.", {"body": "is too deep"}
            )
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                below += item
                below += item.values()
            elif isinstance(item, list):
                below += item
        level = below
        depth += 1


def body_decoder(type_: type[msgspec.Struct]) -> Callable[[bytes], Any]:
    """A function that decodes a request body to `type_` or raises ERR_BAD_REQUEST."""
    decode = msgspec.json.Decoder(type_).decode

    def decode_body(body: bytes) -> Any:
        try:
            # Two cheap looks at the bytes decide whether the tree has to be walked.
            if b"\\u0000" in body or body.count(b"[") + body.count(b"{") > JSON_DEPTH_MAX:
                _check_tree(body)
            return decode(body)
        except msgspec.ValidationError as error:
            raise _refusal(error, "body") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            reason = str(error)[:_QUOTED_CHARS_MAX]
            raise bad_request(f"The body is not JSON: {reason}.", {"body": "is not JSON"}) from None
        except RecursionError:
            raise bad_request(
                f"The body is nested deeper than {JSON_DEPTH_MAX} levels.", {"body": "is too deep"}
            ) from None

    return decode_body


def is_json(content_type: bytes | None) -> bool:
    """Whether a `Content-Type` says JSON in UTF-8 (RFC 8259 §8.1)."""
    if content_type is None:
        return False
    media_type, _, parameters = content_type.lower().partition(b";")
    media_type = media_type.strip()
    if media_type != b"application/json" and not (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    ):
        return False
    return b"charset" not in parameters or b"utf-8" in parameters or b"utf8" in parameters


# -- queries ---------------------------------------------------------------------------------------------


def _takes_many(type_: msgspec.inspect.Type) -> bool:
    if isinstance(type_, msgspec.inspect.UnionType):
        return any(_takes_many(one) for one in type_.types)
    return isinstance(type_, _sequences)


def _fields(type_: type[msgspec.Struct]) -> dict[str, bool]:
    """Wire names of a query struct's fields, and whether each takes many values."""
    info = msgspec.inspect.type_info(type_)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101 -- the argument is a Struct
    return {field.encode_name: _takes_many(field.type) for field in info.fields}


def parse_query(query_string: bytes) -> list[tuple[str, str]]:
    """Names and values of a query string in order. Raises ERR_BAD_REQUEST."""
    if len(query_string) > QUERY_BYTES_MAX:
        raise bad_request(
            f"The query is longer than {QUERY_BYTES_MAX} bytes.", {"query": "is too long"}
        )
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=QUERY_FIELDS_MAX,
        )
    except UnicodeError:
        raise bad_request("The query is not valid UTF-8.", {"query": "is not UTF-8"}) from None
    except ValueError:
        raise bad_request(
            f"The query has more than {QUERY_FIELDS_MAX} parameters.", {"query": "is too long"}
        ) from None
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise bad_request("The query has a NUL character.", {"query": "has a NUL character"})
    return pairs


def _gather(pairs: list[tuple[str, str]], fields: Mapping[str, bool]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for raw_name, value in pairs:
        name = raw_name.removesuffix("[]")
        many = fields.get(name)
        if many is None or (not many and name != raw_name):
            wrong[raw_name[:_QUOTED_CHARS_MAX]] = "is not a parameter of this call"
        elif many:
            values.setdefault(name, []).extend(part for part in value.split(",") if part)
        elif name in values:
            wrong[name] = "is given more than once"
        else:
            values[name] = value
    if wrong:
        names = ", ".join(wrong)[:_QUOTED_CHARS_MAX]
        raise bad_request(f"The query is not valid: {names}.", wrong)
    return values


def query_decoder(type_: type[msgspec.Struct] | None) -> Callable[[bytes], Any]:
    """A function that decodes a query string to `type_` or raises ERR_BAD_REQUEST.

    Booleans are true/false/1/0; lists are comma-separated, `x=1&x=2` or `x[]=1&x[]=2`; unknown names are refused.
    """
    fields = {} if type_ is None else _fields(type_)

    def decode_query(query_string: bytes) -> Any:
        if not query_string and type_ is None:
            return None
        values = _gather(parse_query(query_string), fields) if query_string else {}
        if type_ is None:
            return None
        try:
            decoded = msgspec.convert(values, type_, strict=False)
        except msgspec.ValidationError as error:
            raise _refusal(error, "query") from None
        for name in type_.__struct_fields__:
            value = getattr(decoded, name)
            if isinstance(value, int) and abs(value) > INTEGER_MAX:
                raise bad_request("A number in the query is too large.", {name: "is too large"})
        return decoded

    return decode_query
