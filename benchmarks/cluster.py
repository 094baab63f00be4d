"""Figures of a cluster: processes that deliver from one PostgreSQL with NATS as a bell, on a stored backlog and steadily.

PostgreSQL and NATS are private ones of the run. A process that delivers is put together as `chathooks serve --role delivery`
is (`benchmarks.nodes`). The backlog is in the feed: fanning it out is part of what is measured, as on SQLite.
"""

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks.arrivals import ArrivalsSpec, Arrived
from benchmarks.certificate import make_certificate
from benchmarks.endpoint import free_port, wait_until_listening
from benchmarks.feeding import Fed, Feed
from benchmarks.figures import Row, Target, median_notes, row
from benchmarks.measuring import Rounds, per_cpu_s, per_s
from benchmarks.nodes import NodeSpec
from benchmarks.postgres import Server
from benchmarks.processes import families_cpu_s, running
from benchmarks.rivals import nats_binary
from benchmarks.running import Told, command_of, decoded, make_backlog
from benchmarks.side import Counted, Spec

FIGURE = "9"
DRAIN_S_MAX = 240.0
POLL_S = 0.05
WEBHOOKS = 64
"""As many as there are shares, so that each node has its part."""
SPREAD_SLOWER = 3
"""Many webhooks with an attempt each are delivered slower than one with all of them."""
SLOW_S = 0.1
SLOW_SLOTS = 2
SLOW_WEBHOOKS_PER_NODE = 32
SETTLED_S = 4.0
"""Within which two nodes that started together have parted the shares between them."""
STEADY_SHARE = 0.7
STEADY_S, QUICK_STEADY_S = 600.0, 60.0
PEAK_S = 10.0
BEGIN_S = 5.0
"""Of a steady run before anything counts: connections are opened."""
SAMPLE_S = 1.0

Say = Callable[[str], None]


class Cluster:
    """PostgreSQL, NATS and an endpoint; use it as a context manager. Raises RuntimeError where one cannot be had."""

    def __init__(self, spec: Spec, say: Say) -> None:
        """
        Args:
            spec: seconds of a run, connections, and the endpoint that answers at once.
            say: shows progress.
        """
        self._spec = spec
        self._say = say
        self._stack = contextlib.ExitStack()
        self._count = 0

    def __enter__(self) -> "Cluster":
        with contextlib.ExitStack() as stack:
            self._folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(dir=self._spec.folder))
            )
            self.postgres = stack.enter_context(Server())
            binary = nats_binary()
            if binary is None:
                raise RuntimeError("nats-server is not installed")
            port = free_port()
            command = [binary, "-a", "127.0.0.1", "-p", str(port), "-js"]
            command += ["-sd", str(self._folder / "jetstream")]
            self._nats_process = stack.enter_context(running(command, self._folder, "nats"))
            wait_until_listening(self._nats_process, port)
            self.nats = f"nats://127.0.0.1:{port}"
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def backlog(self, name: str, **changes: int) -> Spec:
        """A database with webhooks and events that nothing has read yet; answers what it was made by."""
        url = asyncio.run(self.postgres.make(name))
        spec = msgspec.structs.replace(self._spec, database=url, **changes)
        self._say(f"a backlog of {spec.events:,} events for {spec.webhooks} webhooks is made")
        make_backlog(spec)
        return spec

    @contextlib.contextmanager
    def nodes(self, database: str, count: int, *, ca_file: str) -> Iterator[list[Told]]:
        """Processes that deliver, put together and not started."""
        with contextlib.ExitStack() as stack:
            nodes = []
            for place in range(count):
                spec = NodeSpec(
                    name=f"node-{place}",
                    database=database,
                    nats=self.nats,
                    ca_file=ca_file,
                    connections=self._spec.connections * 4,
                )
                nodes.append(self.told("nodes", spec, stack))
                nodes[-1].answer()
            yield nodes

    def told(self, module: str, spec: msgspec.Struct, stack: contextlib.ExitStack) -> Told:
        """A process that is told lines, ended with the stack."""
        self._count += 1
        process = Told(command_of(module, spec), self._folder / f"{module}-{self._count}.log")
        stack.callback(process.close)
        return process

    def connect(self, database: str) -> "psycopg.Connection[Any]":
        """A connection to look at a database with, closed with the cluster."""
        connection = psycopg.connect(database, autocommit=True)
        self._stack.callback(connection.close)
        return connection

    def servers_cpu_s(self) -> tuple[float, float]:
        """CPU time so far of PostgreSQL and of NATS."""
        return families_cpu_s(self.postgres.pid), families_cpu_s(self._nats_process.pid)

    def drain(self, backlog: Spec, name: str, count: int) -> Counted:
        """Have a copy of a backlog delivered by so many processes; their CPU time together."""
        expected = backlog.events * backlog.webhooks
        with (
            self.postgres.copy(name, "drained") as database,
            self.nodes(database, count, ca_file=backlog.ca_file) as nodes,
        ):
            before, began = self.servers_cpu_s(), time.perf_counter()
            for node in nodes:
                node.ask("begin")
            while sum(counts(nodes)) < expected:
                if time.perf_counter() - began > DRAIN_S_MAX:
                    raise RuntimeError(f"{sum(counts(nodes))} of {expected} were delivered in time")
                time.sleep(POLL_S)
            wall_s, after = time.perf_counter() - began, self.servers_cpu_s()
            each = [decoded(node.ask("end")) for node in nodes]
        done = sum(one.done for one in each)
        if done != expected:
            raise RuntimeError(f"{done} were delivered of {expected}")
        notes = {
            "postgres_us": round(1e6 * (after[0] - before[0]) / done, 1),
            "nats_us": round(1e6 * (after[1] - before[1]) / done, 1),
            "least_part": round(min(one.done for one in each) / done, 2),
        }
        return Counted(done=done, cpu_s=sum(one.cpu_s for one in each), wall_s=wall_s, notes=notes)

    def window(self, backlog: Spec, name: str, count: int) -> Counted:
        """What so many processes deliver of a copy of a backlog within the spec's seconds, once they have settled."""
        with (
            self.postgres.copy(name, "drained") as database,
            self.nodes(database, count, ca_file=backlog.ca_file) as nodes,
        ):
            for node in nodes:
                node.ask("begin")
            time.sleep(SETTLED_S)
            before, began = counts(nodes), time.perf_counter()
            time.sleep(self._spec.seconds)
            done = sum(counts(nodes)) - sum(before)
            wall_s = time.perf_counter() - began
            cpu_s = sum(decoded(node.ask("end")).cpu_s for node in nodes)
        return Counted(done=done, cpu_s=cpu_s, wall_s=wall_s)

    def arrivals(self, stack: contextlib.ExitStack, answer_after_s: float) -> tuple[Told, Spec]:
        """An endpoint that notes lags or answers late, and the spec with it."""
        made = make_certificate(self._folder)
        told = ArrivalsSpec(
            cert_file=str(made.cert_file),
            key_file=str(made.key_file),
            answer_after_s=answer_after_s,
        )
        endpoint = self.told("arrivals", told, stack)
        port = int(endpoint.answer())
        self._spec = msgspec.structs.replace(self._spec, port=port, ca_file=str(made.ca_file))
        return endpoint, self._spec


def counts(nodes: Sequence[Told]) -> list[int]:
    """Deliveries of each process so far."""
    return [int(node.ask("count")) for node in nodes]


def cpu_rows(
    spec: Spec,
    rounds: int,
    run_sqlite: Callable[[], Counted],
    shown: Callable[[str, Counted], Counted],
    say: Say,
) -> list[Row]:
    """CPU time per delivery on PostgreSQL and NATS: against SQLite, and of two processes against one."""
    with Cluster(spec, say) as cluster:
        alike = cluster.backlog("alike")
        spread = cluster.backlog(
            "spread",
            events=max(1, alike.events * alike.webhooks // (WEBHOOKS * SPREAD_SLOWER)),
            webhooks=WEBHOOKS,
        )

        def run(side: str) -> Counted:
            if side == "sqlite":
                return shown(side, run_sqlite())
            if side == "one":
                return shown(side, cluster.drain(alike, "alike", 1))
            return shown(side, cluster.drain(spread, "spread", 2 if side == "two spread" else 1))

        against_sqlite = _rounds("sqlite", ("one",), rounds, run, say)
        against_one = _rounds("one spread", ("two spread",), rounds, run, say)
    one = against_sqlite.median("one", per_cpu_s)
    return [
        row(
            FIGURE,
            "CPU per delivery, one process on PostgreSQL + NATS ÷ on SQLite",
            against_sqlite.inverse_ratios("one", per_cpu_s),
            target=Target(at_most=2.0, text="≤ 2.0"),
            control=against_sqlite.control(per_cpu_s),
            notes={
                "us": round(1e6 / one, 1),
                "us_on_sqlite": round(1e6 / against_sqlite.median("sqlite", per_cpu_s), 1),
                "per_s": round(against_sqlite.median("one", per_s)),
                **median_notes(against_sqlite.notes("one")),
            },
        ),
        row(
            FIGURE,
            f"CPU per delivery, two processes ÷ one, {WEBHOOKS} webhooks",
            against_one.inverse_ratios("two spread", per_cpu_s),
            target=Target(at_most=1.15, text="≤ 1.15"),
            control=against_one.control(per_cpu_s),
            notes={
                "us": round(1e6 / against_one.median("two spread", per_cpu_s), 1),
                "us_of_one": round(1e6 / against_one.median("one spread", per_cpu_s), 1),
                "per_s": round(against_one.median("two spread", per_s)),
                "per_s_of_one": round(against_one.median("one spread", per_s)),
                **median_notes(against_one.notes("two spread")),
            },
        ),
    ]


def throughput_rows(
    spec: Spec, rounds: int, shown: Callable[[str, Counted], Counted], say: Say
) -> list[Row]:
    """Two processes against one where the endpoint takes its time: each has as many attempts under way as the other."""
    per_node = SLOW_WEBHOOKS_PER_NODE * SLOW_SLOTS
    with Cluster(spec, say) as cluster, contextlib.ExitStack() as stack:
        cluster.arrivals(stack, SLOW_S)
        events = int((spec.seconds + SETTLED_S + BEGIN_S) * SLOW_SLOTS / SLOW_S) + 1
        backlogs = {}
        for side, count in (("one", 1), ("two", 2)):
            webhooks = SLOW_WEBHOOKS_PER_NODE * count
            backlogs[side] = cluster.backlog(
                side, events=events, webhooks=webhooks, connections=webhooks * SLOW_SLOTS
            )

        def run(side: str) -> Counted:
            count = 2 if side == "two" else 1
            return shown(side, cluster.window(backlogs[side], side, count))

        found = _rounds("one", ("two",), rounds, run, say)
    return [
        row(
            FIGURE,
            f"throughput, two processes ÷ one, {SLOW_S * 1000:g} ms endpoint, {per_node} attempts each",
            found.ratios("two", per_s),
            target=Target(at_least=1.8, text="≥ 1.8"),
            control=found.control(per_s),
            notes={
                "per_s": round(found.median("two", per_s)),
                "per_s_of_one": round(found.median("one", per_s)),
            },
        )
    ]


def _rounds(
    base: str, measured: tuple[str, ...], count: int, run: Callable[[str], Counted], say: Say
) -> Rounds:
    rounds = Rounds(base, measured)
    for number in range(1, count + 1):
        say(f"round {number} of {count}")
        rounds.round(run)
    return rounds


# -- steadily --------------------------------------------------------------------------------------------


def steady_rows(spec: Spec, seconds: float, say: Say) -> list[Row]:
    """So many seconds at STEADY_SHARE of the peak, measured just before by the same processes."""
    with Cluster(spec, say) as cluster, contextlib.ExitStack() as stack:
        endpoint, spec = cluster.arrivals(stack, 0.0)
        backlog = cluster.backlog("steady", events=0, webhooks=1)
        database = backlog.database
        (node,) = stack.enter_context(cluster.nodes(database, 1, ca_file=spec.ca_file))
        told = NodeSpec(
            name="feeder", database=database, nats=cluster.nats, ca_file="", connections=1
        )
        feeder = cluster.told("feeding", told, stack)
        feeder.answer()
        node.ask("begin")
        peak = _peak(feeder, node, say)
        rate = peak * STEADY_SHARE
        say(f"the peak is {peak:,.0f} per second; {seconds:g} s at {rate:,.0f}")
        endpoint.ask("since")
        steady = _Steady(cluster, database, feeder, node, endpoint)
        minutes, fed = steady.run(rate, seconds, say)
    part = max(1, min(60, len(minutes) // 2))
    first = statistics.median(p99 for p99, _ in minutes[:part])
    last = statistics.median(p99 for p99, _ in minutes[-part:])
    most = max(backlog for _, backlog in minutes)
    notes = {
        "peak_per_s": round(peak),
        "rate_per_s": round(fed.events / (seconds + BEGIN_S)),
        "feeder_late_s": fed.late_s,
        "p99_first_ms": first,
        "p99_last_ms": last,
        "p99_worst_ms": max(p99 for p99, _ in minutes),
    }
    name = f"{seconds / 60:g} min at {STEADY_SHARE:.0%} of the peak"
    return [
        row(
            FIGURE,
            f"{name}: p99 lag of the last minute ÷ of the first",
            [last / first],
            target=Target(at_most=2.0, text="≤ 2"),
            notes=notes,
        ),
        row(
            FIGURE,
            f"{name}: largest backlog ÷ arrivals of a second",
            [most * (seconds + BEGIN_S) / fed.events],
            target=Target(at_most=1.0, text="≤ 1"),
        ),
    ]


def _peak(feeder: Told, node: Told, say: Say) -> float:
    """Deliveries per second while as much is fed as can be; what waits afterwards is delivered before it answers."""
    say("the peak is measured")
    feeder.tell(msgspec.json.encode(Feed(0.0, PEAK_S)).decode())
    time.sleep(PEAK_S / 4)
    before, began = int(node.ask("count")), time.perf_counter()
    time.sleep(PEAK_S / 2)
    peak = (int(node.ask("count")) - before) / (time.perf_counter() - began)
    fed = msgspec.json.decode(feeder.answer(), type=Fed)
    give_up = time.perf_counter() + DRAIN_S_MAX
    while int(node.ask("count")) < fed.events:
        if time.perf_counter() > give_up:
            raise RuntimeError("what was fed for the peak was not delivered in time")
        time.sleep(POLL_S)
    return peak


class _Steady:
    """What is asked over and over while events come steadily."""

    def __init__(
        self, cluster: Cluster, database: str, feeder: Told, node: Told, endpoint: Told
    ) -> None:
        self._watch = cluster.connect(database)
        self._feeder = feeder
        self._node = node
        self._endpoint = endpoint
        self._ahead = self._appended() - int(node.ask("count"))

    def _appended(self) -> int:
        row = self._watch.execute("SELECT value FROM counters WHERE name = 'feed'").fetchone()
        assert row is not None
        return int(row[0])

    def _backlog(self) -> int:
        """Events that are committed and not recorded as delivered."""
        delivered = int(self._node.ask("count"))
        return max(0, self._appended() - self._ahead - delivered)

    def run(self, rate: float, seconds: float, say: Say) -> tuple[list[tuple[float, int]], Fed]:
        """(p99 of the lag in ms, backlog) of each second, and what was fed."""
        self._feeder.tell(msgspec.json.encode(Feed(rate, seconds + BEGIN_S)).decode())
        began = time.perf_counter()
        time.sleep(BEGIN_S)
        self._endpoint.ask("since")
        found: list[tuple[float, int]] = []
        while (passed := time.perf_counter() - began) < seconds + BEGIN_S - SAMPLE_S:
            time.sleep(SAMPLE_S - passed % SAMPLE_S)
            arrived = msgspec.json.decode(self._endpoint.ask("since"), type=Arrived)
            found.append((arrived.p99_ms, self._backlog()))
            if int(passed) % 60 == 0:
                p99_ms, backlog = found[-1]
                say(f"  {passed:,.0f} s: p99 {p99_ms:g} ms, {backlog:,} wait")
        return found, msgspec.json.decode(self._feeder.answer(), type=Fed)
