"""What the README calls served is served, and what it calls not served yet is not."""

import http.client
import json
import re
from asyncio import to_thread
from pathlib import Path
from typing import Any

import pytest

from chathooks.app.build import build
from chathooks.app.settings import Settings

pytestmark = pytest.mark.anyio

README = Path(__file__).parents[2] / "README.md"
ANSWER_TIMEOUT_S = 10.0

# A word of the README, and a part of the path of each call that would make it a served one.
PARTS = {
    "reactions": "/reactions",
    "receipts": "/receipts",
    "threads": "/thread",
    "conversations": "/conversations",
    "bans": "/bannedusers",
    "blocking": "/blockedusers",
    "friends": "/friends",
    "roles": "/roles",
    "auth tokens": "/auth_tokens",
    "API keys": "/apikeys",
    "pins": "/pin",
    "calls and meetings": "/calls",
    "moderation": "/moderation",
    "campaigns": "/campaigns",
    "media files": "/media",
    "`POST /v3/webhooks/{id}/test`": "/webhooks/{webhookId}/test",
    "`GET /v3/events`": "/events",
}


def _get(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


async def test_the_readme_tells_what_is_served_and_what_is_not(tmp_path: Path) -> None:
    runtime = await build(Settings(data_dir=tmp_path / "data", port=0))
    try:
        await runtime.start()
        described = await to_thread(_get, runtime.port, "/docs/openapi.json")
    finally:
        await runtime.stop()
    paths = [path.lower() for path in described["paths"]]
    assert "/v3/messages" in paths
    text = " ".join(README.read_text("utf-8").split())
    found = re.search(r"\*\*Served\*\*:(.+)\*\*Not yet\*\*:(.+?) A call that is not served", text)
    assert found is not None
    served, not_yet = found.groups()
    for word, part in PARTS.items():
        is_served = any(part.lower() in path for path in paths)
        assert (word in not_yet) is not is_served, f"{word}: served is {is_served}"
        assert not (word in served and word in not_yet), word
