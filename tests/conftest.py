"""What all tests share: one event loop implementation, a manual clock, a store in a temporary folder.

Tests of the folders in ON_BOTH run twice, on SQLite and on PostgreSQL; see `support.stores`.
"""

import gc
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.lease import take_lock
from chathooks.adapters.postgres.schema import apply
from chathooks.kernel.clock import ManualClock
from support import stores
from support.nats import nats_url
from support.postgres import Databases, NoPostgres, start_server

IN_CI = os.environ.get("CI") == "true"
BACKENDS = ("sqlite", "postgres")
ON_BOTH = (
    "tests/conformance",
    "tests/integration/chat",
    "tests/integration/delivery",
    "tests/integration/api/test_event_feed.py",
    "tests/integration/api/test_delivery_log.py",
    "tests/integration/api/test_webhook_changes.py",
    "tests/guarantees/test_attempts.py",
    "tests/guarantees/test_crash.py",
    "tests/guarantees/test_engine_model.py",
    "tests/guarantees/test_feed_order.py",
    "tests/guarantees/test_promises_attempts.py",
    "tests/guarantees/test_wakes.py",
    "tests/e2e/api/test_apps.py",
    "tests/e2e/api/test_replays.py",
    "tests/e2e/api/test_webhooks.py",
    "tests/e2e/chat",
    "tests/e2e/cli/test_app_commands.py",
    "tests/e2e/cli/test_chat_commands.py",
    "tests/e2e/cli/test_session.py",
    "tests/e2e/cli/test_webhook_commands.py",
    "tests/e2e/api/test_schemathesis.py",
    "tests/e2e/api/test_shutdown.py",
    "tests/guarantees/test_promises_request.py",
    "tests/guarantees/test_promises_server.py",
)
"""What touches the store. What looks at the SQLite file itself, such as doctor's tests, has its like for PostgreSQL."""
SPREAD = (
    "tests/guarantees/test_attempts.py",
    "tests/guarantees/test_engine_model.py",
    "tests/guarantees/test_feed_order.py",
    "tests/guarantees/test_promises_attempts.py",
    "tests/guarantees/test_replays_of_many.py",
    "tests/guarantees/test_unreadable_webhook.py",
    "tests/guarantees/test_wakes.py",
    "tests/guarantees/test_webhook_changes_interleaved.py",
    "tests/guarantees/test_withdrawals.py",
)
"""What holds for one engine holds for several behind a sequencer."""
ON_A_CLUSTER = (
    "tests/e2e/api/test_apps.py",
    "tests/e2e/api/test_replays.py",
    "tests/e2e/api/test_webhooks.py",
    "tests/e2e/chat",
    "tests/guarantees/test_attempts.py",
    "tests/guarantees/test_engine_model.py",
    "tests/guarantees/test_feed_order.py",
    "tests/guarantees/test_promises_attempts.py",
    "tests/guarantees/test_replays_of_many.py",
)
"""And also where each of them writes to PostgreSQL in a session of its own."""
ROOT = Path(__file__).parents[1]


def pytest_configure() -> None:
    # A shell starts what it runs in the background deaf to Ctrl-C, and children inherit that: tests send it to them.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" not in metafunc.fixturenames:
        return
    path = metafunc.definition.path.relative_to(ROOT).as_posix()
    only = metafunc.definition.get_closest_marker("only")
    if only is not None:
        names: tuple[Any, ...] = only.args
    else:
        names = BACKENDS if path.startswith(ON_BOTH) else ("sqlite",)
        if path.startswith(SPREAD):
            names = (*names, "spread")
        if path.startswith(ON_A_CLUSTER):
            names = (*names, "cluster")
    # One name alone leaves the test's id as it is.
    ids = None if len(names) > 1 else [pytest.HIDDEN_PARAM]
    metafunc.parametrize("backend", names, indirect=True, scope="module", ids=ids)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return ("asyncio", {"use_uvloop": True})


async def _migrated(url: str) -> None:
    connection = await Database(url=url).connect_or_refuse()
    try:
        await take_lock(connection, url)
        await apply(connection)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def databases(anyio_backend: object) -> AsyncIterator[Databases]:
    """A PostgreSQL server for the whole run, with a template that has the schema."""
    try:
        url, server = start_server()
    except NoPostgres as error:
        if IN_CI:
            raise
        pytest.skip(f"no PostgreSQL: {error}")
    databases = Databases(url, server)
    template = Databases(url, stem="template")
    address = template.make()
    await _migrated(address)
    databases.set_template(str(psycopg.conninfo.conninfo_to_dict(address)["dbname"]))
    yield databases
    if server is not None:
        server.close()
        return
    databases.drop()
    template.drop()


@pytest.fixture(scope="session")
def nats_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A NATS server with JetStream for the whole run."""
    with nats_url(tmp_path_factory.mktemp("nats")) as address:
        yield address


@pytest.fixture(scope="module", autouse=True)
def backend(request: pytest.FixtureRequest) -> Iterator[stores.Backend]:
    """The kind of store that `support.stores` opens."""
    kind = getattr(request, "param", "sqlite")
    before = stores.current
    if kind == "postgres":
        stores.current = stores.Postgres(request.getfixturevalue("databases"))
    elif kind == "cluster":
        databases, address = map(request.getfixturevalue, ("databases", "nats_address"))
        stores.current = stores.Cluster(databases, address)
    else:
        stores.current = stores.Spread() if kind == "spread" else stores.Sqlite()
    yield stores.current
    if isinstance(stores.current, stores.Postgres):
        stores.current.forget()
    stores.current = before


@pytest.fixture(autouse=True)
def _stores_of_one_test(backend: stores.Backend, request: pytest.FixtureRequest) -> Iterator[None]:
    """Takes back what a test opened below its own folder."""
    if not isinstance(backend, stores.Postgres):
        yield
        return
    folder = request.getfixturevalue("tmp_path")
    yield
    backend.forget(folder)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(backend: stores.Backend, tmp_path: Path) -> AsyncIterator[stores.Store]:
    opened = await backend.open(tmp_path / "chathooks.sqlite3")
    yield opened
    await opened.close()


@pytest.fixture
def settled_heap() -> Iterator[None]:
    """No full collection looks through what the tests before left, as none does in a server; it would take 70 ms."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
