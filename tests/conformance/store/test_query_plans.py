"""No statement walks over a table that grows: what a call costs does not depend on how much is kept."""

import re
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from chathooks.adapters.sqlite.statements import migrations, statements

FILES = ("apps.sql", "app_removal.sql", "deliveries.sql", "feed.sql", "log.sql", "replays.sql")
GROWING = frozenset(
    {
        "attempts",
        "auth_tokens",
        "blocks",
        "deliveries",
        "feed",
        "members",
        "messages",
        "streams",
        "users",
    }
)
AT_START_ONLY = {("deliveries.sql", name) for name in ("lanes_due", "lanes_held", "held_heads")}
"""They walk over an index of what is due or held, each entry of which is work to be taken up."""
IN_ORDER = re.compile(r"^SCAN (\w+)$")
"""A walk along a table from one end, which is bounded where the statement says LIMIT."""

_SCAN = re.compile(r"^SCAN (\w+)(.*)$")


def every_statement() -> Iterator[tuple[str, str]]:
    for file in FILES:
        for name in statements(file):
            yield file, name


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for _, _, script in migrations():
        connection.executescript(script)
    yield connection
    connection.close()


def plan(database: sqlite3.Connection, sql: str) -> list[str]:
    places = max([sql.count("?"), *(int(number) for number in re.findall(r"\?(\d+)", sql))])
    numbered = re.findall(r"\?(\d+)", sql)
    values = [None] * (max(map(int, numbered)) if numbered else places)
    rows = database.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    return [str(row[3]) for row in rows]


def aliases(sql: str) -> dict[str, str]:
    """Names of tables by what the statement calls them."""
    found = {}
    for table, alias in re.findall(r"(?:FROM|JOIN|UPDATE|INTO) (\w+)(?: (?:AS )?([a-z]\w*))?", sql):
        found[table] = table
        if alias:
            found[alias] = table
    return found


@pytest.mark.parametrize(("file", "name"), list(every_statement()))
def test_a_statement_finds_its_rows_by_an_index(
    database: sqlite3.Connection, file: str, name: str
) -> None:
    sql = statements(file)[name]
    tables = aliases(sql)
    for step in plan(database, sql):
        scan = _SCAN.match(step)
        if scan is None or tables.get(scan[1], scan[1]) not in GROWING:
            continue
        bounded = IN_ORDER.match(step) and "LIMIT" in sql and "ORDER BY position" in sql
        at_start = (file, name) in AT_START_ONLY and "INDEX deliveries_" in step
        assert bounded or at_start, step


@pytest.mark.parametrize("name", ["troubled_below", "first_in_flight_below", "deliveries_below"])
def test_the_log_reads_its_rows_in_the_order_in_which_it_shows_them(
    database: sqlite3.Connection, name: str
) -> None:
    steps = plan(database, statements("log.sql")[name])
    assert not any("TEMP B-TREE" in step for step in steps), steps


def test_every_sql_file_of_the_delivery_half_is_looked_at() -> None:
    folder = Path(str(files("chathooks.adapters.sqlite")))
    chat_and_meta = {path.name for path in folder.glob("chat_*.sql")} | {
        "meta.sql",
        "webhooks.sql",
        "tables.sql",
    }
    assert {path.name for path in folder.glob("*.sql")} - chat_and_meta == set(FILES)
