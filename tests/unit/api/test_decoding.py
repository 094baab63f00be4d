"""Bodies and queries become structs, or a refusal that names the field."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathooks.api.decoding import JSON_DEPTH_MAX, body_decoder, is_json, query_decoder
from chathooks.kernel.errors import ChathooksError


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    kind: str


class Body(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    user_name: str
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    inner: Inner | None = None
    tags: list[str] = []
    metadata: dict[str, Any] = {}


class Query(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    with_tags: bool = False
    tags: list[str] = []
    limit: Annotated[int, msgspec.Meta(ge=1, le=10)] = 5
    search: str = ""
    numbers: tuple[int, ...] | None = None


decode = body_decoder(Body)
query = query_decoder(Query)


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "userName", "is required"),
        ({"userName": 1}, "userName", "Expected str, got int"),
        ({"userName": "a", "count": 0}, "count", "Expected int >= 1"),
        ({"userName": "a", "inner": {}}, "inner.kind", "is required"),
        ({"userName": "a", "inner": {"x": 1}}, "inner.x", "is not a field of this call"),
        ({"userName": "a", "tags": ["x", 1]}, "tags[1]", "Expected str, got int"),
        ({"userName": "a", "user_name": "a"}, "user_name", "is not a field of this call"),
        ([], "body", "Expected object, got array"),
    ],
)
def test_a_refused_body_names_the_field(body: Any, field: str, reason: str) -> None:
    with pytest.raises(ChathooksError) as refused:
        decode(json.dumps(body).encode())
    assert refused.value.code == "ERR_BAD_REQUEST"
    assert refused.value.details == {field: reason}


def nested(levels: int) -> bytes:
    return b'{"userName":"a","metadata":{"x":' + b"[" * levels + b"]" * levels + b"}}"


def test_a_body_may_be_nested_to_the_limit_and_no_deeper() -> None:
    # The object, its metadata and the innermost list's place are levels too.
    decode(nested(JSON_DEPTH_MAX - 2))
    with pytest.raises(ChathooksError) as refused:
        decode(nested(JSON_DEPTH_MAX))
    assert refused.value.details == {"body": "is too deep"}


def test_a_wide_body_is_not_a_deep_one() -> None:
    assert decode(b'{"userName":"a","metadata":{"x":[' + b"[]," * 500 + b"[]]}}")


@pytest.mark.parametrize(
    "body", ['{"userName":"a\\u0000"}', '{"userName":"a","metadata":{"\\u0000":1}}']
)
def test_a_nul_character_anywhere_is_refused(body: str) -> None:
    with pytest.raises(ChathooksError):
        decode(body.encode())


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert decode(b'{"userName":"\\\\u0000"}').user_name == "\\u0000"


def is_body_or_refusal(decoder: Callable[[bytes], Any], data: bytes) -> bool:
    try:
        return isinstance(decoder(data), Body | Query)
    except ChathooksError as error:
        return error.code == "ERR_BAD_REQUEST"


@given(st.binary(max_size=200))
def test_whatever_bytes_come_the_answer_is_a_body_or_a_refusal(body: bytes) -> None:
    assert is_body_or_refusal(decode, body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["userName", "count", "inner", "tags", "x"]), json_values))
def test_whatever_json_comes_the_answer_is_a_body_or_a_refusal(body: dict[str, Any]) -> None:
    assert is_body_or_refusal(decode, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Query()),
        ("withTags=true", Query(with_tags=True)),
        ("withTags=1&limit=10", Query(with_tags=True, limit=10)),
        ("withTags=0", Query()),
        ("tags=a,b", Query(tags=["a", "b"])),
        ("tags=a&tags=b", Query(tags=["a", "b"])),
        ("tags[]=a&tags%5B%5D=b,c", Query(tags=["a", "b", "c"])),
        ("tags=", Query()),
        ("search=", Query()),
        ("search=a+b%20c", Query(search="a b c")),
        ("numbers=1,2", Query(numbers=(1, 2))),
    ],
)
def test_a_query_may_be_written_in_every_usual_way(text: str, expected: Query) -> None:
    assert query(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("x=1", "x"),
        ("with_tags=1", "with_tags"),
        ("search[]=a", "search[]"),
        ("search=a&search=b", "search"),
        ("withTags=yes", "withTags"),
        ("limit=0", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("numbers=1,x", "numbers[1]"),
    ],
)
def test_a_refused_query_names_the_parameter(text: str, field: str) -> None:
    with pytest.raises(ChathooksError) as refused:
        query(text.encode())
    assert field in refused.value.details


def test_a_call_without_parameters_refuses_any() -> None:
    none = query_decoder(None)
    assert none(b"") is None
    with pytest.raises(ChathooksError):
        none(b"a=1")


@given(st.binary(max_size=200))
def test_whatever_query_comes_the_answer_is_a_query_or_a_refusal(text: bytes) -> None:
    assert is_body_or_refusal(query, text)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, False),
        (b"", False),
        (b"application/json", True),
        (b"Application/JSON ; charset=utf-8", True),
        (b'application/json; charset="UTF-8"', True),
        (b"application/json; charset=latin-1", False),
        (b"application/problem+json", True),
        (b"text/json", False),
        (b"application/jsonx", False),
    ],
)
def test_json_is_told_from_other_types(content_type: bytes | None, expected: bool) -> None:
    assert is_json(content_type) is expected
