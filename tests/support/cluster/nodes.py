"""Nodes of a cluster: `chathooks serve` processes that share a private PostgreSQL and a private NATS.

Everything that can befall them can be done to them: killed, stopped, paused and started again, the database and NATS too.
What the nodes know of each other is read from the database.
"""

import asyncio
import http.client
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import nats
import psycopg
import pytest

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.lease import take_lock
from chathooks.adapters.postgres.schema import apply
from support import services
from support.crash.process import Client, Served, until
from support.postgres import NoPostgres, PrivateServer
from support.services import Service, nats_service
from support.stores import SECRET_KEY

READY_S_MAX = 40.0
ANSWER_S_MAX = 10.0
SPREAD_S_MAX = 40.0
LEAD = 0
SHARES = 65
"""That of the lead and those of the lanes."""
PROBES_AT_ONCE_S = 0.05


class Cluster:
    """Make it with `running_cluster`."""

    def __init__(
        self,
        folder: Path,
        server: PrivateServer,
        nats_server: Service,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.postgres = server
        self.nats = nats_server
        self.settings = dict(settings or {})
        self.nodes: dict[str, Served] = {}
        self.roles: dict[str, str] = {}
        self.paused: set[str] = set()
        self.shot_at_s: list[float] = []
        """`time.monotonic()` of everything that was done to a node."""
        self._look: psycopg.Connection[Any] | None = None

    # -- nodes ---------------------------------------------------------------------------------------------

    def add(self, name: str, role: str) -> Served:
        """A node that is not started yet."""
        data_dir = self.folder / name
        data_dir.mkdir()
        self.roles[name] = role
        self.nodes[name] = Served(
            data_dir,
            {
                "CHATHOOKS_DATABASE_URL": self.postgres.url(),
                "CHATHOOKS_NATS_URL": f"nats://127.0.0.1:{self.nats.port}",
                "CHATHOOKS_SECRET_KEY": SECRET_KEY,
                "CHATHOOKS_DATABASE_CONNECTIONS": "3",
                "CHATHOOKS_WEBHOOKS_PER_APP": "100",
                "CHATHOOKS_ROLE": role,
                "CHATHOOKS_NODE_NAME": name,
                **self.settings,
            },
        )
        return self.nodes[name]

    def of_role(self, *roles: str) -> list[str]:
        """Names of the nodes with a role, in the order in which they were added."""
        return [name for name, role in self.roles.items() if role in roles]

    @property
    def api_nodes(self) -> list[str]:
        return self.of_role("api", "all")

    @property
    def workers(self) -> list[str]:
        return self.of_role("delivery", "all")

    def client(self, name: str) -> Client:
        """A connection to a node's API."""
        return self.nodes[name].client()

    async def start(self, *names: str) -> None:
        """Start nodes side by side and wait until they listen."""
        chosen = [self.nodes[name] for name in names or self.nodes]
        for node in chosen:
            await node.spawn()
        await asyncio.gather(*(node.ready() for node in chosen))

    async def kill(self, name: str) -> None:
        """SIGKILL."""
        self._touched(name)
        await self.nodes[name].kill()

    async def stop(self, name: str) -> None:
        """SIGTERM; it must end well."""
        self._touched(name)
        assert await self.nodes[name].stop() == 0, self.nodes[name].lines[-20:]

    async def restart(self, name: str) -> None:
        """Stop it in order and start it again."""
        await self.stop(name)
        await self.start(name)

    def pause(self, name: str) -> None:
        """SIGSTOP: the process neither runs nor ends."""
        self._touched(name)
        self.nodes[name].send_signal(signal.SIGSTOP)
        self.paused.add(name)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self.nodes[name].send_signal(signal.SIGCONT)
        self.paused.discard(name)

    def _touched(self, _name: str) -> None:
        self.shot_at_s.append(time.monotonic())

    # -- database and NATS ---------------------------------------------------------------------------------

    async def restart_postgres(self, *, killed: bool = False) -> None:
        """End the database, as an administrator or a crash does, and start it again."""
        self._forget_look()
        await asyncio.to_thread(self.postgres.kill if killed else self.postgres.stop)
        await asyncio.to_thread(self.postgres.start)

    async def kill_nats(self) -> None:
        await asyncio.to_thread(self.nats.kill)

    async def start_nats(self) -> None:
        await asyncio.to_thread(self.nats.start)

    async def delete_streams(self) -> int:
        """Delete every stream of NATS, as somebody else might; answers how many there were."""
        client = await nats.connect(f"nats://127.0.0.1:{self.nats.port}")
        try:
            jetstream = client.jetstream()
            streams = [stream.config.name for stream in await jetstream.streams_info()]
            for name in streams:
                assert name is not None
                await jetstream.delete_stream(name)
            return len(streams)
        finally:
            await client.close()

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """What a statement answers, asked past all nodes. Raises psycopg.OperationalError while the database is away."""
        if self._look is None or self._look.closed:
            self._look = psycopg.connect(self.postgres.url(), autocommit=True)
        cursor = self._look.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    def _forget_look(self) -> None:
        if self._look is not None:
            self._look.close()
            self._look = None

    # -- who has what --------------------------------------------------------------------------------------

    def leader(self) -> str | None:
        """Name of the node that leads; None: nobody does at the moment."""
        found = self.rows("SELECT name FROM shares JOIN seats USING (seat) WHERE share = %s", LEAD)
        return str(found[0][0]) if found else None

    def owners(self) -> dict[str, int]:
        """By node, how many lane shares it has."""
        found = self.rows(
            "SELECT name, count(*) FROM shares JOIN seats USING (seat) WHERE share <> %s GROUP BY name",
            LEAD,
        )
        return {str(name): int(count) for name, count in found}

    def owner_of_lane(self, webhook: str) -> str | None:
        """The node that delivers for a webhook."""
        found = self.rows(
            "SELECT seats.name FROM webhooks JOIN lanes USING (lane) JOIN shares USING (share) "
            "JOIN seats USING (seat) WHERE webhooks.id = %s",
            webhook,
        )
        return str(found[0][0]) if found else None

    async def settled(self, *workers: str, timeout_s: float = SPREAD_S_MAX) -> None:
        """Wait until somebody leads and the lane shares are spread evenly over these nodes and nobody else."""
        names = set(workers or self.workers)

        async def even() -> bool:
            try:
                owned = self.owners()
                leads = self.leader()
            except psycopg.OperationalError:
                return False
            return (
                set(owned) == names
                and sum(owned.values()) == SHARES - 1
                and max(owned.values()) - min(owned.values()) <= 1
                and leads in names
            )

        try:
            await until(even, timeout_s)
        except AssertionError:
            raise AssertionError(f"{names} have {self.owners()}, {self.leader()} leads") from None

    async def ready(self, *names: str) -> None:
        """Wait until nodes answer that they can do their work."""

        async def all_ready() -> bool:
            answers = await asyncio.gather(
                *(asyncio.to_thread(self._probe, name) for name in names or self.nodes)
            )
            return all(answers)

        await until(all_ready, READY_S_MAX, PROBES_AT_ONCE_S)

    def _probe(self, name: str) -> bool:
        try:
            return self.get(name, "/readyz")[0] == 200
        except OSError:
            return False

    def get(self, name: str, path: str) -> tuple[int, str]:
        """Status and body of one of a node's own pages. Blocks."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.nodes[name].port, timeout=ANSWER_S_MAX
        )
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str, metric: str) -> float:
        """A metric of a node, summed over its labels. Blocks."""
        status, text = self.get(name, "/metrics")
        assert status == 200, text
        total = 0.0
        for line in text.splitlines():
            stem, _, value = line.rpartition(" ")
            if stem.partition("{")[0] == metric:
                total += float(value)
        return total

    # -- the end -------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End whatever runs."""
        for name in list(self.paused):
            self.resume(name)
        await asyncio.gather(*(node.close() for node in self.nodes.values()))
        self._forget_look()

    def check_logs(self) -> None:
        """No node may have met what nobody foresaw."""
        for name, node in self.nodes.items():
            faults = [line for line in node.lines if "Traceback" in line]
            assert not faults, (name, faults[:3])


async def _migrated(url: str) -> None:
    connection = await Database(url=url).connect_or_refuse()
    try:
        await take_lock(connection, url)
        await apply(connection)
    finally:
        await connection.close()


@contextmanager
def _private_postgres() -> Iterator[PrivateServer]:
    try:
        server = PrivateServer()
    except NoPostgres as error:
        if services.IN_CI:
            raise
        pytest.skip(f"no PostgreSQL: {error}")
    try:
        server.start()
        yield server
    finally:
        server.close()


@asynccontextmanager
async def running_cluster(
    folder: Path,
    *,
    api: int = 2,
    delivery: int = 3,
    settings: Mapping[str, str] | None = None,
    started: bool = True,
) -> AsyncIterator[Cluster]:
    """A cluster below `folder`, ended with the block, of which no log may hold a traceback.

    Args:
        folder: of data directories and logs.
        api: nodes that serve the API only.
        delivery: nodes that deliver only.
        settings: further CHATHOOKS_* variables of all nodes.
        started: whether the nodes are started and have spread the work.
    """
    nats_folder = folder / "nats"
    nats_folder.mkdir(parents=True)
    with _private_postgres() as postgres, services.running(nats_service(nats_folder)) as server:
        await _migrated(postgres.url())
        cluster = Cluster(folder, postgres, server, settings)
        for place in range(1, api + 1):
            cluster.add(f"api-{place}", "api")
        for place in range(1, delivery + 1):
            cluster.add(f"delivery-{place}", "delivery")
        try:
            if started:
                await cluster.start()
                await cluster.settled()
                await cluster.ready()
            yield cluster
            cluster.check_logs()
        finally:
            await cluster.close()
