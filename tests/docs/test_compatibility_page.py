"""The page on compatibility tells of every call that is served, and of none that is not."""

import http.client
import json
import re
from asyncio import to_thread
from pathlib import Path
from typing import Any

import pytest

from support.server import ANSWER_TIMEOUT_S, running

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "compatibility.md"
ROW = re.compile(r"^\| (`(?:GET|POST|PUT|PATCH|DELETE) [^|]+) \| (.+) \|$", re.MULTILINE)
CALL = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`")


def _document(port: int) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", "/docs/openapi.json")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


async def test_every_served_call_and_no_other_stands_in_a_table(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        document = await to_thread(_document, server.port)
    mounted_twice = "/apps/{appId}"
    served = {
        f"{method.upper()} {path.removeprefix('/v3')}"
        for path, methods in document["paths"].items()
        if path.startswith("/v3/")
        or f"/v3{path.removeprefix(mounted_twice)}" not in document["paths"]
        for method in methods
    }
    assert "POST /apps" in served
    assert len(served) > 50
    told: dict[str, list[str]] = {"absent": [], "served": []}
    for calls, state in ROW.findall(PAGE.read_text("utf-8")):
        told["absent" if state == "absent" else "served"] += CALL.findall(calls)
    assert sorted(told["served"]) == sorted(served)
    assert len(told["absent"]) > 50
    assert not served.intersection(told["absent"])


def test_a_call_of_cometchat_is_served_or_absent_or_differs_and_says_how() -> None:
    text = PAGE.read_text("utf-8")
    theirs = text[: text.index("## Of our own")]
    states = [state for _, state in ROW.findall(theirs)]
    assert states
    for state in states:
        assert state in ("served", "absent") or re.match(r"(served[,;] |differs: )\S", state), state
