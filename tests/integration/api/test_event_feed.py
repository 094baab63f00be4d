"""GET /v3/events: catch up by cursor (delivery contract §6, §7 "Feed order")."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chathooks.api.events_routes import EventRoutes
from chathooks.delivery.retention import DAY_MS, Retention
from chathooks.events import feed
from chathooks.events.feed import Feed
from chathooks.events.streams import conversation
from chathooks.kernel.clock import ManualClock
from support.server import Response, Server, serving

pytestmark = pytest.mark.anyio

START_MS = 1_700_000_000_000
OTHER_APP = 2


def open_server(tmp_path: Path, clock: ManualClock | None = None) -> Any:
    return serving(
        tmp_path,
        clock=clock or ManualClock(START_MS),
        routes=lambda store, _: EventRoutes(Feed(store)).routes(),
    )


async def append(
    server: Server,
    count: int = 1,
    *,
    trigger: str = "message_sent",
    app: int = 1,
    data: bytes = b'{"a":1}',
) -> list[str]:
    async def command(tx: Any) -> list[str]:
        return [
            await server.outbox.append(
                tx, app=app, trigger=trigger, data=data, stream=conversation("a", "b")
            )
            for _ in range(count)
        ]

    return await server.store.write(command)


async def read(server: Server, query: str = "") -> Response:
    return await server.call("GET", f"/events?{query}" if query else "/events")


async def read_all(server: Server, query: str = "limit=100") -> list[str]:
    """Ids of all pages."""
    found: list[str] = []
    after = ""
    while True:
        page = await read(server, f"{query}&after={after}")
        found += ids(page)
        if "next" not in page.json["meta"]:
            return found
        after = page.json["meta"]["next"]["cursor"]


def ids(page: Response) -> list[str]:
    return [event["eventId"] for event in page.data]


async def fanned_out(server: Server) -> None:
    """What the engine would have done: without it nothing may be pruned."""

    async def command(tx: Any) -> None:
        await tx.save_fanout_position((await tx.feed_bounds())[1])

    await server.store.write(command)


async def test_events_are_listed_in_commit_order_with_the_bytes_that_were_stored(
    tmp_path: Path,
) -> None:
    # The bytes are not those that any JSON encoder here would write.
    data = b'{ "b" : 1.50, "a": "\\u00e9", "text":"\xc3\xa9" }'
    async with open_server(tmp_path) as server:
        first = await append(server, data=data)
        second = await append(server, trigger="group_created")
        page = await read(server)
        assert ids(page) == first + second
        assert page.json["meta"] == {}
        assert data in page.body
        shown = page.data[1]
        assert shown.pop("cursor")
        assert shown == {
            "eventId": second[0],
            "trigger": "group_created",
            "data": {"a": 1},
            "createdAt": START_MS,
        }


async def test_webhook_changes_and_events_of_other_apps_are_left_out(tmp_path: Path) -> None:
    async with open_server(tmp_path) as server:
        mine = await append(server)
        await append(server, 3, app=OTHER_APP)
        body = {"id": "w1", "name": "n", "webhookURL": "https://example.com/"}
        assert (await server.call("POST", "/webhooks", body)).status == 200
        mine += await append(server)
        assert ids(await read(server)) == mine


async def test_pages_lead_through_the_whole_feed_and_the_last_has_no_next(tmp_path: Path) -> None:
    async with open_server(tmp_path) as server:
        sent = await append(server, 7)
        first = await read(server, "limit=3")
        assert ids(first) == sent[:3]
        assert first.json["meta"]["next"] == {"cursor": first.data[2]["cursor"]}
        assert await read_all(server, "limit=3") == sent
        # A page that holds the last event is the last, however full it is.
        assert (await read(server, "limit=7")).json["meta"] == {}


async def test_any_cursor_of_an_event_goes_on_after_it_for_good(tmp_path: Path) -> None:
    async with open_server(tmp_path) as server:
        sent = await append(server, 4)
        after = (await read(server)).data[1]["cursor"]
        assert ids(await read(server, f"after={after}")) == sent[2:]
        last = (await read(server)).data[3]["cursor"]
        assert ids(await read(server, f"after={last}")) == []
        more = await append(server, 2)
        assert ids(await read(server, f"after={last}")) == more
        assert ids(await read(server, f"after={after}")) == sent[2:] + more


async def test_a_filter_shows_the_named_triggers_only(tmp_path: Path) -> None:
    async with open_server(tmp_path) as server:
        sent = await append(server, 2)
        await append(server, trigger="user_blocked")
        made = await append(server, trigger="group_created")
        assert ids(await read(server, "triggers=group_created,message_sent")) == sent + made
        # What follows the page does not match, so it is the last one.
        page = await read(server, "triggers=message_sent&limit=2")
        assert (ids(page), page.json["meta"]) == (sent, {})


async def test_a_page_looks_at_a_bounded_number_of_entries_and_says_where_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "ROWS_SCANNED_MAX", 10)
    async with open_server(tmp_path) as server:
        first = await append(server)
        await append(server, 15, app=OTHER_APP)
        await append(server, 12, trigger="user_blocked")
        last = await append(server)
        page = await read(server, "triggers=message_sent")
        assert ids(page) == first
        after = page.json["meta"]["next"]["cursor"]
        page = await read(server, f"triggers=message_sent&after={after}")
        assert ids(page) == []
        assert "next" in page.json["meta"]
        assert await read_all(server, "triggers=message_sent") == first + last


async def test_a_page_of_large_events_ends_early_and_says_where_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PAGE_DATA_BYTES_MAX", 250)
    async with open_server(tmp_path) as server:
        sent = await append(server, 7, data=b'{"a":"' + b"x" * 92 + b'"}')
        page = await read(server)
        assert ids(page) == sent[:3]
        assert await read_all(server) == sent


async def test_nothing_appears_behind_a_cursor_while_events_are_written(tmp_path: Path) -> None:
    async with open_server(tmp_path) as server:

        async def write() -> list[str]:
            return [event_id for _ in range(30) for event_id in await append(server, 2)]

        async def follow(query: str) -> list[str]:
            """Read on from each cursor as soon as it is known, until the writers are done."""
            found: list[str] = []
            after = ""
            while True:
                done = writers.done()
                page = await read(server, f"{query}&after={after}")
                found += ids(page)
                if page.data:
                    after = page.data[-1]["cursor"]
                elif done:
                    return found

        writers = asyncio.gather(*(write() for _ in range(4)))
        followed = await asyncio.gather(follow("limit=7"), follow("limit=1000"))
        written = [event_id for ids_of_one in await writers for event_id in ids_of_one]
        in_order = await read_all(server)
        assert len(in_order) == 240
        assert sorted(in_order) == sorted(written)
        assert followed == [in_order, in_order]


async def test_a_cursor_older_than_retention_is_refused_with_410(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    async with open_server(tmp_path, clock) as server:
        await append(server, 3)
        old = [event["cursor"] for event in (await read(server)).data]
        clock.advance(2 * DAY_MS)
        kept = await append(server, 2)
        await fanned_out(server)
        await Retention(server.store, clock, 1).prune()
        for cursor in old[:2]:
            refused = await read(server, f"after={cursor}")
            assert (refused.status, refused.code) == (410, "ERR_CURSOR_EXPIRED")
            assert set(refused.details) == {"after"}
        # Everything after the last pruned event is there, so its cursor is as good as ever.
        assert ids(await read(server, f"after={old[2]}")) == kept
        assert ids(await read(server)) == kept


async def test_a_feed_that_was_pruned_empty_still_tells_old_cursors_from_current_ones(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START_MS)
    async with open_server(tmp_path, clock) as server:
        assert (await read(server)).data == []
        await append(server, 2)
        first, last = [event["cursor"] for event in (await read(server)).data]
        clock.advance(2 * DAY_MS)
        await fanned_out(server)
        await Retention(server.store, clock, 1).prune()
        assert (await read(server, f"after={first}")).code == "ERR_CURSOR_EXPIRED"
        assert (await read(server, f"after={last}")).data == []
        assert (await read(server)).json == {"data": [], "meta": {}}
        again = await append(server)
        assert ids(await read(server, f"after={last}")) == again


async def test_events_are_pruned_from_the_front_only_although_the_wall_clock_was_stepped(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START_MS)
    async with open_server(tmp_path, clock) as server:
        early = await append(server)
        clock.step_wall(2 * DAY_MS)
        ahead = await append(server)
        clock.step_wall(-2 * DAY_MS)
        behind = await append(server)
        clock.step_wall(2 * DAY_MS)
        await fanned_out(server)
        cursor = (await read(server)).data[0]["cursor"]
        await Retention(server.store, clock, 1).prune()
        assert early[0] not in ids(await read(server))
        assert ids(await read(server, f"after={cursor}")) == ahead + behind


async def test_a_cursor_ahead_of_the_feed_is_refused(tmp_path: Path) -> None:
    async with open_server(tmp_path / "a") as server:
        await append(server, 3)
        ahead = (await read(server)).data[2]["cursor"]
    async with open_server(tmp_path / "b") as server:
        await append(server)
        refused = await read(server, f"after={ahead}")
        assert (refused.status, refused.code) == (400, "ERR_BAD_REQUEST")
        assert set(refused.details) == {"after"}


@pytest.mark.parametrize(
    ("query", "status", "code", "named"),
    [
        ("after=nonsense", 400, "ERR_BAD_REQUEST", "after"),
        ("after=YmVsb3ctMw", 400, "ERR_BAD_REQUEST", "after"),  # a cursor of the delivery log
        ("after=YWZ0ZXItLTE", 400, "ERR_BAD_REQUEST", "after"),  # a negative place
        ("after=" + "a" * 65, 400, "ERR_BAD_REQUEST", "after"),
        ("limit=0", 400, "ERR_BAD_REQUEST", "limit"),
        ("limit=1001", 400, "ERR_BAD_REQUEST", "limit"),
        ("triggers=message_sent,nope", 404, "ERR_TRIGGER_NOT_FOUND", "triggers"),
        ("before=1", 400, "ERR_BAD_REQUEST", "before"),
    ],
)
async def test_a_wrong_query_is_refused_by_name(
    tmp_path: Path, query: str, status: int, code: str, named: str
) -> None:
    async with open_server(tmp_path) as server:
        refused = await read(server, query)
        assert (refused.status, refused.code) == (status, code)
        assert set(refused.details) == {named}


async def test_a_key_that_may_only_authenticate_reads_no_events(tmp_path: Path) -> None:
    async with open_server(tmp_path) as server:
        refused = await server.call("GET", "/events", key=server.credentials.auth_key)
        assert (refused.status, refused.code) == (403, "AUTH_ERR_NO_ACCESS")
