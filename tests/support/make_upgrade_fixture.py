"""Writes the store of a release with data in every table, and what that release answered, for the upgrade test.

To be run with the release's own packages on the path, as `tests/fixtures/upgrade/README.md` says.
"""

import asyncio
import contextlib
import ipaddress
import json
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from chathooks.app.build import STORE_FILE, build
from chathooks.app.settings import Settings
from support.populate import add_webhook, fill_chat, send
from support.scripted_endpoint import Received, ScriptedEndpoint
from support.server import Client
from support.waiting import until

ANSWERING_PORT, HANGING_PORT = 45999, 45998
"""Of the endpoints in the fixture; the test puts its own in their place."""
SECRET_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
API_KEY, AUTH_KEY = "a" * 40, "b" * 40
MANAGEMENT_KEY, MANAGEMENT_SECRET = "c" * 40, "d" * 40
ASKED = (
    *("/users?searchKey=al", "/users/alice", "/users/bob", "/users/alice/blockedusers"),
    *("/users/bob/auth_tokens", "/groups/team", "/groups/club", "/groups/team/members"),
    *("/groups/team/bannedusers", "/groups/team/messages", "/users/alice/messages"),
    *(
        "/messages/{message}",
        "/messages/{message}/thread",
        "/messages/{message}/reactions",
        "/apikeys",
    ),
    *("/webhooks/done", "/webhooks/done/deliveries", "/webhooks/failed/deliveries"),
    "/events?limit=1000",
)
"""Calls whose answers the work under way does not change, but that lists may grow at their end."""

UNDER_WAY = """
-- The webhook was disabled: fan-out has come to it, what waits is not cancelled yet.
UPDATE webhooks SET enabled = 0 WHERE id = 'closing';
UPDATE lanes SET enabled = 0, withdrawn = '{"0":' || next_number || '}'
WHERE lane = (SELECT lane FROM webhooks WHERE id = 'closing');
INSERT INTO cancellations (lane, trigger_number, from_number, below_number)
SELECT lane, NULL, 1, next_number FROM lanes
WHERE lane = (SELECT lane FROM webhooks WHERE id = 'closing');
-- A user was deactivated: the memberships are not ended yet.
UPDATE users SET deactivated_at = created_at WHERE uid = 'gone';
INSERT INTO departures (user, app, erase) SELECT user, app, 0 FROM users WHERE uid = 'gone';
-- A message was deleted for good: its reactions are not removed yet.
DELETE FROM messages WHERE message = (SELECT MAX(message) FROM reactions);
"""


def settings(folder: Path, **more: Any) -> Settings:
    """What both releases are started with."""
    return Settings(
        data_dir=folder,
        port=0,
        app_id="app1",
        api_key=API_KEY,
        auth_key=AUTH_KEY,
        management_key=MANAGEMENT_KEY,
        management_secret=MANAGEMENT_SECRET,
        secret_key=SECRET_KEY,
        allow_http_targets=True,
        allow_target_networks=(ipaddress.ip_network("127.0.0.0/8"),),
        **more,
    )


async def furnish(client: Client) -> dict[str, str]:
    """Chat, and deliveries that are done, failed, waiting for a retry, held, in flight and pending."""
    call = client.call
    answering, hanging = (f"http://127.0.0.1:{port}" for port in (ANSWERING_PORT, HANGING_PORT))
    ids = await fill_chat(call)
    await call("POST", "/users", {"uid": "gone", "name": "Gone"})
    leaving = {"guid": "leaving", "name": "L", "type": "public", "members": {"admins": ["gone"]}}
    await call("POST", "/groups", leaving)
    await add_webhook(
        call, "done", f"{answering}/ok", username="u", password="p", useBasicAuth=True
    )
    await add_webhook(call, "failed", f"{answering}/bad")
    await add_webhook(call, "retrying", f"{answering}/bad", retryOnFailure=True)
    await add_webhook(call, "ordered", f"{answering}/bad", retryOnFailure=True, ordered=True)
    await add_webhook(call, "slow", f"{hanging}/hang", maxConcurrency=1)
    await add_webhook(call, "closing", f"{hanging}/hang", maxConcurrency=1, retryOnFailure=True)
    for number in range(4):
        await send(call, f"number {number}")
    last = await send(call, "goes for good", by="carol")
    path = f"/messages/{last['id']}/reactions/x"
    await call("POST", path, headers={"onBehalfOf": "bob"})

    async def settled() -> bool:
        done = (await call("GET", "/webhooks/done/deliveries?state=delivered")).data
        failed = (await call("GET", "/webhooks/failed/deliveries?state=failed")).data
        waits = (await call("GET", "/webhooks/retrying/deliveries?state=retrying")).data
        return len(done) == len(failed) == len(waits) == 5

    await until(settled)
    return ids


def _answer(request: Received) -> int:
    return 200 if request.path == "/ok" else 500


async def main(folder: Path) -> None:
    """Write `store.sql` and `answers.json` into `folder`."""
    hanging = ScriptedEndpoint(port=HANGING_PORT)
    hanging.hold()
    copy = sqlite3.connect(":memory:")
    with tempfile.TemporaryDirectory() as data:
        async with ScriptedEndpoint(answer=_answer, port=ANSWERING_PORT), hanging:
            runtime = await build(settings(Path(data), request_timeout=60.0))
            await runtime.start()
            assert runtime.credentials is not None
            client = Client(runtime.port, runtime.credentials)
            ids = await furnish(client)
            await hanging.arrived(2)
            paths = [path.format(**ids) for path in ASKED]
            answers = {path: (await client.call("GET", path)).data for path in paths}
            with contextlib.closing(sqlite3.connect(Path(data) / STORE_FILE)) as store:
                store.backup(copy)
            hanging.release()
            await runtime.stop()
    copy.executescript(UNDER_WAY)
    (version,) = copy.execute("PRAGMA user_version").fetchone()
    text = "\n".join([*copy.iterdump(), f"PRAGMA user_version = {version};", ""])
    (folder / "store.sql").write_text(text)
    (folder / "answers.json").write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
