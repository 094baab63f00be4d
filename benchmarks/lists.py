"""`python -m benchmarks.lists`: how long a page far inside a list takes with a million users and groups.

The rows are made by SQL, in random order of their ids; then the whole server as `chathooks serve` puts it together
answers over loopback, and each time is the median and the worst of what one client saw.
"""

import argparse
import asyncio
import http.client
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from chathooks.app.build import STORE_FILE, build
from chathooks.app.logs import configure_logs
from chathooks.app.settings import Settings

ROWS = 1_000_000
MEMBERS = 100_000
LOOKS = 15
BOUND_MS = 20.0
TIMEOUT_S = 60.0
API_KEY = "a" * 40
MS_PER_S = 1000

_USER = (
    "INSERT INTO users (app, uid, name, name_folded, role, created_at, tags) "
    "VALUES (1, ?, ?, ?, ?, ?, ?)"
)
_TAG = (
    "INSERT INTO user_tags (app, tag, user) SELECT 1, 'vip', user FROM users WHERE tags IS NOT NULL"
)
_GROUP = (
    "INSERT INTO chat_groups (app, guid, name, name_folded, type, owner, members_count, created_at) "
    "VALUES (1, ?, ?, ?, ?, 'app_system', 1, ?)"
)
_MEMBERS = (
    "INSERT INTO members (group_key, user, scope, joined_at) "
    "SELECT 1, user, 'participant', 1 FROM users WHERE built_in = 0 LIMIT ?"
)
_MEMBERS_COUNT = "UPDATE chat_groups SET members_count = ? WHERE group_key = 1"

FAST = (
    ("users, first page", "/users"),
    ("users, page 10,000", "/users?page=10000"),
    ("users, page 10,000, deactivated too", "/users?page=10000&withDeactivated=true"),
    ("groups by guid, page 10,000", "/groups?page=10000"),
    ("groups by name, page 10,000", "/groups?page=10000&sortBy=name"),
    (
        "groups by age, latest first, page 5,000",
        "/groups?page=5000&sortBy=createdAt&sortOrder=desc",
    ),
    ("members of a full group, page 10,000 of 10", "/groups/{guid}/members?page=10000&perPage=10"),
    ("members of a full group, last page of 100", "/groups/{guid}/members?page=1000"),
)
FILTERED = (
    ("users, searchKey that all begin with", "/users?searchKey=u"),
    ("users, role that most have, page 100", "/users?role=default&page=100"),
    ("users, role that most have, page 1,000", "/users?role=default&page=1000"),
    ("users, tag that 100,000 have", "/users?tags=vip"),
    ("groups, type that a third has, page 1,000", "/groups?type=public&page=1000"),
    ("groups as a user sees them, page 100", "/groups?page=100"),
    ("groups that changed since", "/groups?updatedAt=1700000000"),
    ("members by scope, last page", "/groups/{guid}/members?scopes=participant&page=1000"),
)


def _users(chance: random.Random, rows: int) -> Iterator[tuple[object, ...]]:
    for number in range(rows):
        uid = f"user-{chance.getrandbits(60):015x}"
        role = "vip" if number % 10 == 0 else "default"
        tags = '["vip"]' if number % 10 == 0 else None
        yield uid, f"User {number}", f"user {number}", role, 1_700_000_000 + number, tags


def _groups(chance: random.Random, rows: int) -> Iterator[tuple[object, ...]]:
    for number in range(rows):
        guid = f"group-{chance.getrandbits(60):015x}"
        name = f"Room {chance.getrandbits(30)}"
        kind = ("public", "private", "password")[number % 3]
        yield guid, name, name.lower(), kind, 1_700_000_000 + number


def fill(path: Path, rows: int) -> None:
    """Make the rows in the store at `path`, whose server does not run."""
    chance = random.Random(1)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for statement, made in ((_USER, _users(chance, rows)), (_GROUP, _groups(chance, rows))):
            connection.execute("BEGIN")
            connection.executemany(statement, made)
            connection.execute("COMMIT")
        connection.execute(_TAG)
        members = min(MEMBERS, rows)
        connection.execute(_MEMBERS, (members,))
        connection.execute(_MEMBERS_COUNT, (members,))
    finally:
        connection.close()


def _look(port: int, path: str, headers: dict[str, str]) -> tuple[list[float], int]:
    """Times (ms) of reading one page over a kept connection, and how many bytes it has."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    times: list[float] = []
    body = b""
    try:
        for _ in range(LOOKS + 1):
            began = time.perf_counter()
            connection.request("GET", f"/v3{path}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            times.append((time.perf_counter() - began) * MS_PER_S)
            assert answer.status == 200, body
    finally:
        connection.close()
    return times[1:], len(body)


async def measure(folder: Path, rows: int) -> None:
    """Fill a fresh store below `folder`, serve it, and print a line per list."""
    configure_logs("error")
    settings = Settings(data_dir=folder, port=0, app_id="lists", api_key=API_KEY, log_level="error")
    runtime = await build(settings)
    runtime.resolver.close()
    await runtime.store.close()
    began = time.perf_counter()
    await asyncio.to_thread(fill, folder / STORE_FILE, rows)
    print(f"{rows:,} users and groups made in {time.perf_counter() - began:.0f} s")
    connection = sqlite3.connect(folder / STORE_FILE)
    ((guid,),) = connection.execute("SELECT guid FROM chat_groups WHERE group_key = 1").fetchall()
    ((uid,),) = connection.execute("SELECT uid FROM users WHERE built_in = 0 LIMIT 1").fetchall()
    connection.close()
    runtime = await build(settings)
    await runtime.start()
    try:
        for title, lists in (
            ("bound 20 ms", FAST),
            ("filtered: bounded by entries looked at", FILTERED),
        ):
            print(f"\n{title}\n{'':46}{'median':>9}{'worst':>9}{'bytes':>9}")
            for name, path in lists:
                headers = {"apikey": API_KEY}
                if "user sees" in name:
                    headers["onBehalfOf"] = uid
                times, size = await asyncio.to_thread(
                    _look, runtime.port, path.format(guid=guid), headers
                )
                median, worst = statistics.median(times), max(times)
                late = "  over the bound" if lists is FAST and median > BOUND_MS else ""
                print(f"{name:46}{median:7.1f} ms{worst:6.1f} ms{size:9}{late}")
    finally:
        await runtime.stop()


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"users and groups ({ROWS:,})")
    parser.add_argument("--folder", type=Path, help="where the store is kept; a temporary folder")
    options = parser.parse_args()
    if options.folder is not None:
        asyncio.run(measure(options.folder, options.rows))
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), options.rows))


if __name__ == "__main__":
    main()
