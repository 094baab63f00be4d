"""Pages far inside long lists: the counted ranges that find them agree with the rows, whatever happened to these."""

import random
import sqlite3
from pathlib import Path

import pytest

from chathooks.adapters.sqlite.statements import migrations
from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.chat.filters import GroupFilter, UserFilter
from chathooks.chat.limits import FILTERED_TOTAL_MAX
from support.chat import Chat

pytestmark = [pytest.mark.anyio, pytest.mark.only("sqlite")]

ROWS = 5_000
RANGE_ROWS_MAX = 2_048
PAGE = 100
BEFORE_RANGES = next(n for n, name, _ in migrations() if name == "counted_ranges") - 1
ADD_USER = (
    "INSERT INTO users (app, uid, name, name_folded, role, created_at, deactivated_at) "
    "VALUES (1, ?, ?, ?, ?, 1, ?)"
)
ADD_GROUP = (
    "INSERT INTO chat_groups (app, guid, name, name_folded, type, owner, members_count, created_at) "
    "VALUES (1, ?, ?, ?, ?, 'app_system', 1, ?)"
)


def fill(connection: sqlite3.Connection, rows: int = ROWS, *, seed: int = 1) -> None:
    """Users and groups in random order, some deactivated, many groups of the same name."""
    chance = random.Random(seed)
    numbers = list(range(rows))
    chance.shuffle(numbers)
    users = [
        (f"u{n:06}", f"Name {n}", f"name {n}", "vip" if n % 2 else "default", n % 7 == 0 or None)
        for n in numbers
    ]
    groups = [
        (f"g{n:06}", f"Room {n % 50}", f"room {n % 50}", ("public", "private")[n % 2], n)
        for n in numbers
    ]
    connection.execute("BEGIN")
    connection.executemany(ADD_USER, users)
    connection.executemany(ADD_GROUP, groups)
    connection.execute("COMMIT")


def shake(connection: sqlite3.Connection) -> None:
    """Deactivate, activate, erase users; rename, delete groups: whatever moves them in their lists."""
    for statement in (
        "UPDATE users SET deactivated_at = 5 WHERE uid LIKE 'u00__3_'",
        "UPDATE users SET deactivated_at = NULL WHERE uid LIKE 'u0030__'",
        "UPDATE users SET deactivated_at = 9, uid = 'deleted~' || user, built_in = 2 "
        "WHERE uid LIKE 'u0020__'",
        "UPDATE chat_groups SET name = 'Z', name_folded = 'z' WHERE guid LIKE 'g00__4_'",
        "UPDATE chat_groups SET deleted_at = 7 WHERE guid LIKE 'g003___'",
        "DELETE FROM chat_groups WHERE guid LIKE 'g00300_'",
    ):
        connection.execute(statement)


USER_STATES = [
    (False, "deactivated_at IS NULL"),
    (True, "deactivated_at IS NOT NULL"),
    (None, "1"),
]
GROUP_SORTS = [
    ("guid", "guid"),
    ("name", "name_folded, guid"),
    ("createdAt", "group_key"),
]


async def pages_of_users(store: SqliteStore, only: UserFilter) -> list[str]:
    async def walk(tx: SqliteTransaction) -> list[str]:
        total = await tx.count_users(1, only)
        found: list[str] = []
        for offset in range(0, total + PAGE, PAGE):
            found += [user.uid for user in await tx.list_users(1, only, PAGE, offset)]
        assert len(found) == total
        return found

    return await store.read(walk)


async def pages_of_groups(store: SqliteStore, only: GroupFilter) -> list[str]:
    async def walk(tx: SqliteTransaction) -> list[str]:
        total = await tx.count_groups(1, only)
        found: list[str] = []
        for offset in range(0, total + PAGE, PAGE):
            page = await tx.list_groups(1, only, PAGE, offset)
            found += [group.guid for group, _ in page]
        assert len(found) == total
        return found

    return await store.read(walk)


async def lists_agree(store: SqliteStore, connection: sqlite3.Connection) -> None:
    for deactivated, condition in USER_STATES:
        rows = connection.execute(
            f"SELECT uid FROM users WHERE built_in = 0 AND {condition} ORDER BY uid"
        )
        found = await pages_of_users(store, UserFilter(deactivated=deactivated))
        assert found == [uid for (uid,) in rows]
    for sort, order in GROUP_SORTS:
        rows = connection.execute(
            f"SELECT guid FROM chat_groups WHERE deleted_at IS NULL ORDER BY {order}"
        )
        guids = [guid for (guid,) in rows]
        assert await pages_of_groups(store, GroupFilter(sort=sort)) == guids
        assert await pages_of_groups(store, GroupFilter(sort=sort, descending=True)) == guids[::-1]


def ranges_are_short(connection: sqlite3.Connection) -> None:
    users = "SELECT count(*), max(active + deactivated) FROM user_ranges"
    groups = "SELECT count(*), max(number) FROM group_ranges WHERE sort = ?"
    looked_at = [connection.execute(users).fetchone()]
    looked_at += [connection.execute(groups, (sort,)).fetchone() for sort, _ in GROUP_SORTS]
    for number, longest in looked_at:
        assert number > 1
        assert longest <= RANGE_ROWS_MAX


async def test_every_page_is_where_it_belongs_after_whatever_moved_the_rows(chat: Chat) -> None:
    connection = sqlite3.connect(chat.path, isolation_level=None)
    try:
        fill(connection)
        ranges_are_short(connection)
        await lists_agree(chat.store, connection)
        shake(connection)
        await lists_agree(chat.store, connection)
        fill_again = random.Random(2).sample(range(ROWS, 3 * ROWS), ROWS)
        rows = [(f"u{n:06}x", "n", "n", "default", None) for n in fill_again]
        connection.execute("BEGIN")
        connection.executemany(ADD_USER, rows)
        connection.execute("COMMIT")
        ranges_are_short(connection)
        await lists_agree(chat.store, connection)
    finally:
        connection.close()


async def test_the_ranges_of_an_older_store_are_made_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path, isolation_level=None)
    for number, _, script in migrations():
        if number <= BEFORE_RANGES:
            connection.executescript(script)
    connection.execute("INSERT INTO apps (id, name, region, created_at) VALUES ('a', 'A', 'us', 1)")
    fill(connection)
    connection.execute(f"PRAGMA user_version = {BEFORE_RANGES}")
    store = await SqliteStore.open(path)
    try:
        ranges_are_short(connection)
        await lists_agree(store, connection)
        shake(connection)
        await lists_agree(store, connection)
    finally:
        await store.close()
        connection.close()


async def test_a_filtered_list_ends_where_its_total_says(chat: Chat) -> None:
    connection = sqlite3.connect(chat.path, isolation_level=None)
    try:
        fill(connection, 2 * FILTERED_TOTAL_MAX + PAGE)
        users = await pages_of_users(chat.store, UserFilter(search="u", search_name=False))
        assert users == sorted(users)
        assert len(users) == FILTERED_TOTAL_MAX * 6 // 7
        by_role = await pages_of_users(chat.store, UserFilter(roles=("vip", "default")))
        assert len(by_role) <= FILTERED_TOTAL_MAX
        groups = await pages_of_groups(chat.store, GroupFilter(types=("public", "private")))
        assert len(groups) == FILTERED_TOTAL_MAX
        assert (
            len(await pages_of_groups(chat.store, GroupFilter(visible_to=1))) == FILTERED_TOTAL_MAX
        )
    finally:
        connection.close()


async def test_groups_are_listed_by_when_they_changed(chat: Chat) -> None:
    connection = sqlite3.connect(chat.path, isolation_level=None)
    try:
        fill(connection, 50)
        connection.execute("UPDATE chat_groups SET updated_at = 100 WHERE guid = 'g000007'")
        after = await pages_of_groups(chat.store, GroupFilter(changed_after=45, sort="updatedAt"))
        assert after == ["g000046", "g000047", "g000048", "g000049", "g000007"]
        before = GroupFilter(changed_before=3, sort="updatedAt", descending=True)
        assert await pages_of_groups(chat.store, before) == ["g000002", "g000001", "g000000"]
        narrowed = GroupFilter(changed_after=45, sort="updatedAt", types=("public",))
        assert await pages_of_groups(chat.store, narrowed) == ["g000046", "g000048"]
    finally:
        connection.close()


async def test_the_ranges_of_an_app_go_with_it(chat: Chat) -> None:
    chat.sql("INSERT INTO apps (app, id, name, region, created_at) VALUES (7, 'x', 'X', 'us', 1)")
    for _ in range(2):
        assert chat.sql("SELECT app, first FROM user_ranges WHERE app = 7") == [(7, "")]
        assert len(chat.sql("SELECT * FROM group_ranges WHERE app = 7")) == 3
        chat.sql("DELETE FROM users WHERE app = 7")
        chat.sql("DELETE FROM apps WHERE app = 7")
        assert chat.sql("SELECT * FROM user_ranges WHERE app = 7") == []
        assert chat.sql("SELECT * FROM group_ranges WHERE app = 7") == []
        chat.sql(
            "INSERT INTO apps (app, id, name, region, created_at) VALUES (7, 'x', 'X', 'us', 1)"
        )


async def test_a_role_and_a_type_are_listed_farther(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = sqlite3.connect(chat.path, isolation_level=None)
    try:
        fill(connection, 2 * FILTERED_TOTAL_MAX + 4 * PAGE)
        for deactivated, condition in USER_STATES:
            rows = connection.execute(
                f"SELECT uid FROM users WHERE role = 'vip' AND {condition} ORDER BY uid"
            )
            only = UserFilter(roles=("vip",), deactivated=deactivated)
            assert await pages_of_users(chat.store, only) == [uid for (uid,) in rows]
        guids = connection.execute(
            "SELECT guid FROM chat_groups WHERE type = 'public' ORDER BY guid"
        )
        public = [guid for (guid,) in guids]
        assert len(public) > FILTERED_TOTAL_MAX
        assert await pages_of_groups(chat.store, GroupFilter(types=("public",))) == public
        down = GroupFilter(types=("public",), descending=True)
        assert await pages_of_groups(chat.store, down) == public[::-1]
        for module in ("chat_users", "chat_groups"):
            name = f"chathooks.adapters.sqlite.{module}.INDEXED_TOTAL_MAX"
            monkeypatch.setattr(name, FILTERED_TOTAL_MAX + 50)
        assert await pages_of_groups(chat.store, GroupFilter(types=("public",))) == public[:10_050]
        ended = await pages_of_users(chat.store, UserFilter(roles=("vip",), deactivated=None))
        assert len(ended) == FILTERED_TOTAL_MAX + 50
    finally:
        connection.close()
