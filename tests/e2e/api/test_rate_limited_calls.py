"""Rate limits over HTTP: the headers on every answer, and the refusal (rest-api.md A7)."""

from pathlib import Path

import pytest

from chathooks.api.rate_limits import RateLimits
from chathooks.kernel.clock import ManualClock
from support.chat import chat_routes
from support.server import serving

pytestmark = pytest.mark.anyio

MINUTE_MS = 60_000
NOW_MS = 1_700_000_050_000
"""Ten seconds into a minute."""


async def test_calls_beyond_the_limit_are_refused_until_the_minute_is_over(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    limits = RateLimits(clock, core=2, standard=3)
    async with serving(tmp_path, routes=chat_routes, rate_limits=limits) as server:
        for number, left in (("1", "1"), ("2", "0")):
            made = await server.call("POST", "/users", {"uid": number, "name": number})
            assert made.status == 200
            assert made.headers["x-rate-limit"] == "2"
            assert made.headers["x-rate-limit-remaining"] == left
            assert "retry-after" not in made.headers
        refused = await server.call("POST", "/users", {"uid": "3", "name": "3"})
        assert (refused.status, refused.code) == (429, "ERR_TOO_MANY_REQUESTS")
        assert refused.headers["x-rate-limit-remaining"] == "0"
        assert refused.headers["retry-after"] == "50"
        assert refused.headers["x-rate-limit-reset"] == str(NOW_MS // 1000 + 50)
        # Other kinds of calls go on, errors carry the headers too, and the refused one did nothing.
        absent = await server.call("GET", "/users/3")
        assert (absent.status, absent.headers["x-rate-limit-remaining"]) == (404, "2")
        wrong = await server.call("GET", "/users?perPage=0")
        assert (wrong.status, wrong.headers["x-rate-limit-remaining"]) == (400, "1")
        clock.advance(MINUTE_MS)
        again = await server.call("POST", "/users", {"uid": "3", "name": "3"})
        assert (again.status, again.headers["x-rate-limit-remaining"]) == (200, "1")


async def test_who_has_no_key_and_who_manages_is_not_counted(tmp_path: Path) -> None:
    limits = RateLimits(ManualClock(NOW_MS), standard=1)
    async with serving(tmp_path, routes=chat_routes, rate_limits=limits) as server:
        stranger = await server.call("GET", "/users", key="e" * 40)
        assert (stranger.status, "x-rate-limit" in stranger.headers) == (401, False)
        for _ in range(3):
            managed = await server.manage("GET", "/webhooks")
            assert (managed.status, "x-rate-limit" in managed.headers) == (200, False)
        allowed = await server.call("GET", "/webhooks")
        assert (allowed.status, allowed.headers["x-rate-limit-remaining"]) == (200, "0")
        assert (await server.call("GET", "/webhooks")).status == 429


async def test_there_is_no_limit_unless_one_is_set(tmp_path: Path) -> None:
    async with serving(tmp_path, routes=chat_routes) as server:
        answer = await server.call("GET", "/users")
        assert answer.status == 200
        assert "x-rate-limit" not in answer.headers
