"""No statement walks over a table that grows, on PostgreSQL: what a call costs does not depend on how much is kept.

Each statement is planned for any parameters (a generic plan) with sequential scans priced out of reach: one that is in
the plan all the same has no index to go by. A walk along a whole index is no better, but where LIMIT ends it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.statements import statements
from support.stores import Postgres

pytestmark = pytest.mark.only("postgres")

FILES = (
    "apps.sql",
    "app_removal.sql",
    "deliveries.sql",
    "feed.sql",
    "log.sql",
    "membership.sql",
    "replays.sql",
)
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
OF_ALL_LANES = {("deliveries.sql", "oldest_in_lane")}
"""A look per lane, at its first delivery."""


def every_statement() -> Iterator[tuple[str, str]]:
    for file in FILES:
        for name, sql in statements(file).items():
            if "{" not in sql and not name.startswith(("where_", "of_", "from_", "to_", "window")):
                yield file, name


@pytest.fixture(scope="module")
def database(
    backend: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection[Any]]:
    path: Path = tmp_path_factory.mktemp("plans") / "chathooks.sqlite3"
    with psycopg.connect(backend.url(path), autocommit=True) as connection:
        connection.prepare_threshold = None
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def explained(database: psycopg.Connection[Any], sql: str) -> dict[str, Any]:
    database.execute("DEALLOCATE ALL")
    cursor = psycopg.RawCursor(database)
    cursor.execute(f"PREPARE looked_at AS {sql}".encode())
    cursor.execute(
        b"SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'looked_at'"
    )
    row = cursor.fetchone()
    assert row is not None
    values = f"({', '.join(['NULL'] * row[0])})" if row[0] else ""
    cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE looked_at{values}".encode())
    found = cursor.fetchone()
    assert found is not None
    told = found[0] if isinstance(found[0], list) else json.loads(found[0])
    plan: dict[str, Any] = told[0]["Plan"]
    return plan


@pytest.mark.parametrize(("file", "name"), list(every_statement()))
def test_a_statement_finds_its_rows_by_an_index(
    database: psycopg.Connection[Any], file: str, name: str
) -> None:
    sql = statements(file)[name]
    for node in nodes(explained(database, sql)):
        if node.get("Relation Name") not in GROWING:
            continue
        kind = node["Node Type"]
        assert kind != "Seq Scan", node
        walks = kind.startswith("Index") and "Index Cond" not in node
        bounded = "LIMIT" in sql or "min(" in sql.lower() or "max(" in sql.lower()
        assert not walks or bounded or (file, name) in AT_START_ONLY | OF_ALL_LANES, node


def test_a_statement_that_scans_is_found_out(database: psycopg.Connection[Any]) -> None:
    plan = explained(database, "SELECT count(*) FROM deliveries WHERE failures = $1::bigint")
    assert any(
        node["Node Type"] == "Seq Scan"
        or (node.get("Relation Name") == "deliveries" and "Index Cond" not in node)
        for node in nodes(plan)
    )


@pytest.mark.anyio
@pytest.mark.parametrize(("file", "name"), list(every_statement()))
async def test_a_session_plans_no_scan_although_tables_are_empty(
    backend: Postgres, tmp_path: Path, file: str, name: str
) -> None:
    """A plan is kept, so what was planned while a table was empty would scan it when it is large."""
    session = await Database(url=backend.url(tmp_path / "chathooks.sqlite3")).connect()
    try:
        cursor = psycopg.AsyncRawCursor(session)
        await cursor.execute("SET plan_cache_mode = force_generic_plan")
        await cursor.execute(f"PREPARE looked_at AS {statements(file)[name]}".encode())
        await cursor.execute(
            "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'looked_at'"
        )
        row = await cursor.fetchone()
        assert row is not None
        values = f"({', '.join(['NULL'] * row[0])})" if row[0] else ""
        await cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE looked_at{values}".encode())
        found = await cursor.fetchone()
        assert found is not None
    finally:
        await session.close()
    scanned = {
        node.get("Relation Name")
        for node in nodes(found[0][0]["Plan"])
        if node["Node Type"] == "Seq Scan"
    }
    assert not scanned & GROWING
