"""The route table finds one route per request, whatever order they were declared in."""

import pytest

from chathooks.api.table import RouteTable
from chathooks.kernel.errors import ChathooksError

TABLE = RouteTable(
    (method, path, f"{method} {path}")
    for method, path in (
        ("GET", "/users"),
        ("POST", "/users"),
        ("GET", "/users/{uid}"),
        ("GET", "/users/{uid}/friends"),
        ("GET", "/users/me/friends"),
        ("GET", "/users/{uid}/friends/{friend}"),
        ("PUT", "/users/me"),
    )
)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", b"/users", ("GET /users", {})),
        ("POST", b"/users", ("POST /users", {})),
        ("PUT", b"/users", None),
        ("GET", b"/users/", None),
        ("GET", b"/users/bob", ("GET /users/{uid}", {"uid": "bob"})),
        ("GET", b"/users/me", ("GET /users/{uid}", {"uid": "me"})),
        ("PUT", b"/users/me", ("PUT /users/me", {})),
        ("GET", b"/users/me/friends", ("GET /users/me/friends", {})),
        ("GET", b"/users/bob/friends", ("GET /users/{uid}/friends", {"uid": "bob"})),
        (
            "GET",
            b"/users/me/friends/al",
            ("GET /users/{uid}/friends/{friend}", {"uid": "me", "friend": "al"}),
        ),
        ("GET", b"/users//friends", None),
        ("GET", b"/users/a/friends/b/c", None),
        ("GET", b"", None),
        ("GET", b"*", None),
        ("GET", b"/{uid}", None),
    ],
)
def test_a_request_finds_its_route(
    method: str, path: bytes, expected: tuple[str, dict[str, str]] | None
) -> None:
    assert TABLE.find(method, path) == expected


@pytest.mark.parametrize(
    ("path", "uid"),
    [
        (b"/users/a%2Fb", "a/b"),
        (b"/users/%F0%9F%91%8D", "👍"),
        (b"/users/%252F", "%2F"),
        (b"/users/a+b", "a+b"),
        (b"/users/%zz", "%zz"),
        (b"/%75sers/x", "x"),
    ],
)
def test_a_segment_is_percent_decoded_once_after_the_path_was_split(path: bytes, uid: str) -> None:
    assert TABLE.find("GET", path) == ("GET /users/{uid}", {"uid": uid})


@pytest.mark.parametrize(
    "path", [b"/users/%ff", b"/users/%00", b"/users/%c0%80", b"/users/%ed%a0%80"]
)
def test_a_segment_that_is_no_text_is_refused(path: bytes) -> None:
    with pytest.raises(ChathooksError) as refused:
        TABLE.find("GET", path)
    assert refused.value.code == "ERR_BAD_REQUEST"


def test_two_routes_for_the_same_calls_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two routes"):
        RouteTable([("GET", "/a/{x}", 1), ("GET", "/a/{y}", 2)])
