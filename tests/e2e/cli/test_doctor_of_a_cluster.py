"""`chathooks doctor` on PostgreSQL and NATS: what serves a store that several processes share."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import structlog

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.looking import Looked, SeenSeat
from chathooks.app.cluster_checks import database_checks, node_checks
from chathooks.app.findings import Check
from chathooks.app.settings import Settings
from support import services
from support.cluster.nodes import running_cluster
from support.command_line import Run, Shell
from support.postgres import Databases, PrivateServer
from support.services import Service, free_port, nats_service, program
from support.stores import SECRET_KEY

pytestmark = pytest.mark.anyio

SOUND = Looked(
    where="chathooks on db",
    server_version=16,
    fsync=True,
    full_page_writes=True,
    synchronous_commit="on",
    connections_max=97,
    connections=5,
    ahead_ms=0,
    encrypted=True,
    missing=[],
    endpoints=[],
    seats=[],
)
SHARED = Settings(
    database_url="postgresql://db/chathooks", nats_url="nats://nats:4222", secret_key=SECRET_KEY
)


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with services.running(nats_service(tmp_path_factory.mktemp("nats"))) as service:
        yield service


@pytest.fixture(scope="module")
def plain_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A NATS server without JetStream that wants a password."""
    port = free_port()
    command = [program("nats-server"), "-a", "127.0.0.1", "-p", str(port)]
    command += ["--user", "u", "--pass", "hidden-word"]
    folder = tmp_path_factory.mktemp("plain-nats")
    with services.running(Service(command, port, folder)) as service:
        yield service


async def examine(folder: Path, database_url: str, nats_url: str, **variables: str) -> Run:
    return await Shell(
        folder,
        {
            "CHATHOOKS_DATA_DIR": str(folder),
            "CHATHOOKS_DATABASE_URL": database_url,
            "CHATHOOKS_NATS_URL": nats_url,
            "CHATHOOKS_SECRET_KEY": SECRET_KEY,
            **variables,
        },
    )("doctor", "--json")


def found(run: Run) -> dict[str, dict[str, str]]:
    """Checks by name."""
    assert run.err == ""
    return {check["name"]: check for check in json.loads(run.out)}


async def test_what_is_sound_is_all_ok(tmp_path: Path, databases: Databases, nats: Service) -> None:
    run = await examine(tmp_path, databases.copy(), f"nats://127.0.0.1:{nats.port}")
    checks = found(run)
    assert {"store", "durability", "database connections", "database clock", "NATS"} <= set(checks)
    assert {check["state"] for check in checks.values()} == {"ok"}, checks
    assert run.code == 0
    assert "JetStream is on" in checks["NATS"]["message"]
    assert "takes up to 11;" in checks["database connections"]["message"]


async def test_a_process_that_only_serves_the_api_takes_fewer_connections(
    tmp_path: Path, databases: Databases, nats: Service
) -> None:
    run = await examine(
        tmp_path, databases.copy(), f"nats://127.0.0.1:{nats.port}", CHATHOOKS_ROLE="api"
    )
    assert "takes up to 9;" in found(run)["database connections"]["message"]


async def test_commits_of_chathooks_wait_for_the_disk_where_the_database_would_not(
    tmp_path: Path, databases: Databases, nats: Service
) -> None:
    url = databases.make()
    name = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(
                psycopg.sql.Identifier(name)
            )
        )
    checks = found(await examine(tmp_path, url, f"nats://127.0.0.1:{nats.port}"))
    assert checks["durability"]["state"] == "ok"
    assert "synchronous_commit is on" in checks["durability"]["message"]
    assert checks["store"]["state"] == "failed"
    assert checks["store"]["advice"] == "chathooks migrate apply"


async def test_a_database_that_may_lose_what_it_has_and_has_no_room_is_found(
    tmp_path: Path, nats: Service
) -> None:
    server = PrivateServer("fsync=off", "full_page_writes=off", "max_connections=10")
    try:
        server.start()
        run = await examine(tmp_path, server.url(), f"nats://127.0.0.1:{nats.port}")
        with structlog.testing.capture_logs() as lines:
            await (await Database(url=server.url()).connect_or_refuse()).close()
    finally:
        server.close()
    warned = {"event": "the database does not sync to its disk", "fsync": "off"}
    assert [line for line in lines if warned.items() <= line.items()]
    checks = found(run)
    assert run.code == 1
    assert checks["durability"]["state"] == "failed"
    assert "fsync = off and full_page_writes = off" in checks["durability"]["message"]
    assert checks["database connections"]["state"] == "failed"
    assert "max_connections" in checks["database connections"]["advice"]


async def test_a_database_that_does_not_answer_is_found_and_the_rest_is_looked_at(
    tmp_path: Path, nats: Service
) -> None:
    url = f"postgresql://u:hidden-word@127.0.0.1:{free_port()}/d"
    run = await examine(tmp_path, url, f"nats://127.0.0.1:{nats.port}")
    checks = found(run)
    assert (run.code, checks["store"]["state"], checks["NATS"]["state"]) == (1, "failed", "ok")
    assert "hidden-word" not in run.out


async def test_nats_without_jetstream_is_found(
    tmp_path: Path, databases: Databases, plain_nats: Service
) -> None:
    url = f"nats://u:hidden-word@127.0.0.1:{plain_nats.port}"
    run = await examine(tmp_path, databases.copy(), url)
    assert run.code == 1
    assert found(run)["NATS"]["state"] == "failed"
    assert "without JetStream" in found(run)["NATS"]["message"]
    assert "-js" in found(run)["NATS"]["advice"]
    assert "hidden-word" not in run.out


@pytest.mark.parametrize("login", ["", "u:hidden-word2@"])
async def test_nats_that_lets_nobody_in_is_found(
    tmp_path: Path, databases: Databases, plain_nats: Service, login: str
) -> None:
    run = await examine(tmp_path, databases.copy(), f"nats://{login}127.0.0.1:{plain_nats.port}")
    assert run.code == 1
    assert "does not accept the user" in found(run)["NATS"]["message"]
    assert "hidden-word" not in run.out


async def test_nats_that_does_not_answer_is_found(tmp_path: Path, databases: Databases) -> None:
    run = await examine(tmp_path, databases.copy(), f"nats://127.0.0.1:{free_port()}")
    assert (run.code, found(run)["NATS"]["state"]) == (1, "failed")
    assert "CHATHOOKS_NATS_URL" in found(run)["NATS"]["message"]


async def test_a_connection_to_nats_that_should_be_encrypted_and_is_not_is_found(
    tmp_path: Path, databases: Databases, nats: Service
) -> None:
    run = await examine(tmp_path, databases.copy(), f"tls://127.0.0.1:{nats.port}")
    assert (run.code, found(run)["NATS"]["state"]) == (1, "failed")
    assert "has no TLS" in found(run)["NATS"]["message"]


async def test_certificates_for_nats_that_cannot_be_read_are_found(
    tmp_path: Path, databases: Databases, nats: Service
) -> None:
    (tmp_path / "ca.pem").write_text("none")
    run = await examine(
        tmp_path,
        databases.copy(),
        f"nats://127.0.0.1:{nats.port}",
        CHATHOOKS_NATS_CA_FILE=str(tmp_path / "ca.pem"),
    )
    assert (run.code, found(run)["NATS"]["state"]) == (1, "failed")
    assert "ca.pem cannot be read" in found(run)["NATS"]["message"]


def of_name(checks: list[Check], name: str) -> Check:
    (check,) = [check for check in checks if check.name == name]
    return check


@pytest.mark.parametrize(
    ("ahead_ms", "state", "words"),
    [
        (0, "ok", "less than 1 s apart"),
        (1_000, "ok", "less than 1 s apart"),
        (-1_000, "ok", "less than 1 s apart"),
        (1_001, "warning", "1.0 s ahead of"),
        (-62_500, "warning", "62.5 s behind"),
    ],
)
def test_a_clock_that_differs_from_the_databases_is_warned_of(
    ahead_ms: int, state: str, words: str
) -> None:
    check = of_name(database_checks(replace(SOUND, ahead_ms=ahead_ms), SHARED), "database clock")
    assert check.state == state
    assert words in check.message


@pytest.mark.parametrize(
    ("most", "taken", "state"),
    [(11, 0, "ok"), (97, 86, "ok"), (97, 87, "warning"), (10, 0, "failed"), (10, 9, "failed")],
)
def test_connections_that_the_database_has_no_room_for_are_found(
    most: int, taken: int, state: str
) -> None:
    looked = replace(SOUND, connections_max=most, connections=taken)
    assert of_name(database_checks(looked, SHARED), "database connections").state == state


def test_a_missing_secret_key_is_found() -> None:
    checks = database_checks(SOUND, replace(SHARED, secret_key=None))
    assert of_name(checks, "secret key").state == "failed"
    assert "secret key" not in {check.name for check in database_checks(SOUND, SHARED)}


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_database_connection_that_should_be_encrypted_and_is_not_is_found(
    encrypted: bool,
) -> None:
    looked = replace(SOUND, encrypted=encrypted)
    checks = database_checks(looked, replace(SHARED, database_ca_file=Path("ca.pem")))
    assert ("database TLS" in {check.name for check in checks}) is not encrypted


def seat(name: str, *, works: bool = False, shares: int = 0, **told: bool) -> SeenSeat:
    return SeenSeat(
        name, works, shares, leads=told.get("leads", False), beats=told.get("beats", True)
    )


WHOLE = [seat("a"), seat("b"), seat("b", works=True, shares=64, leads=True)]


def test_every_node_is_told_with_what_it_does() -> None:
    checks = node_checks(WHOLE, SHARED)
    assert [(check.name, check.state, check.message) for check in checks] == [
        ("node a", "ok", "It serves the API."),
        ("node b", "ok", "It delivers for 64 of 64 shares, and leads."),
    ]


@pytest.mark.parametrize(
    ("seats", "name", "state", "words"),
    [
        ([*WHOLE, seat("c", beats=False)], "node c", "warning", "no sign of life"),
        ([*WHOLE, seat("b", works=True)], "node b", "warning", "several processes"),
        ([*WHOLE, seat("c"), seat("c", works=True)], "node c", "ok", "no share yet"),
        ([seat("a")], "nodes", "warning", "No node delivers"),
        ([seat("a"), seat("a", works=True, beats=False)], "nodes", "warning", "No node delivers"),
        ([seat("a"), seat("a", works=True, shares=9)], "nodes", "warning", "No node leads"),
    ],
)
def test_what_lacks_in_a_cluster_is_found(
    seats: list[SeenSeat], name: str, state: str, words: str
) -> None:
    check = of_name(node_checks(seats, SHARED), name)
    assert check.state == state
    assert words in check.message


def test_a_process_that_would_want_the_store_for_itself_is_warned_before() -> None:
    check = of_name(node_checks(WHOLE, replace(SHARED, nats_url=None)), "nodes")
    assert check.state == "failed"
    assert "CHATHOOKS_NATS_URL" in check.advice


def test_where_nobody_shares_the_store_there_is_nothing_to_say() -> None:
    assert node_checks([], SHARED) == []


async def test_the_nodes_of_a_real_cluster_are_shown(tmp_path: Path) -> None:
    async with running_cluster(tmp_path, api=1, delivery=2) as cluster:
        told = found(
            await examine(tmp_path, cluster.postgres.url(), f"nats://127.0.0.1:{cluster.nats.port}")
        )
        nodes = {name: check for name, check in told.items() if name.startswith("node ")}
        assert set(nodes) == {f"node {name}" for name in cluster.nodes}
        assert {check["state"] for check in nodes.values()} == {"ok"}
        assert nodes["node api-1"]["message"] == "It serves the API."
        leader = cluster.leader()
        for name in cluster.workers:
            leads = ", and leads" if name == leader else ""
            assert nodes[f"node {name}"]["message"] == f"It delivers for 32 of 64 shares{leads}."
        cluster.pause("delivery-1")
        told = found(
            await examine(tmp_path, cluster.postgres.url(), f"nats://127.0.0.1:{cluster.nats.port}")
        )
        assert "no sign of life" in told["node delivery-1"]["message"]
        assert told["node delivery-2"]["state"] == "ok"
        cluster.resume("delivery-1")
