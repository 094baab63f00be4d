"""`python -m benchmarks.capacity`: what an event, a delivery, a webhook and a waiting retry cost, on SQLite and PostgreSQL.

And how many commands sessions of a cluster commit together, and how many events one sequencer fans out. Printed as a
table, and left as JSON in bench-results/. Source of the figures in docs/explain/capacity.md.
"""

import argparse
import asyncio
import contextlib
import datetime
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks import postgres, report
from benchmarks.calling import Api
from benchmarks.capacity_report import PAGE, Capacity, Costs, Measured, markdown, show, shown
from benchmarks.cloning import Rows
from benchmarks.commands import Done
from benchmarks.endpoint import running_endpoint
from benchmarks.facts import gather
from benchmarks.figures import percentile
from benchmarks.load import LoadSpec
from benchmarks.processes import families_cpu_s
from benchmarks.running import Told, command_of, decoded, loaded, make_backlog, run_side, served
from benchmarks.side import Counted, Spec
from benchmarks.whole import first_delivery
from chathooks.app.build import STORE_FILE
from chathooks.app.logs import configure_logs

PARTS = ("events", "deliveries", "body", "endpoints", "retries", "commands", "sequencer")
STORES = ("sqlite", "postgres")
SECONDS, QUICK_SECONDS = 8.0, 1.0
EVENTS, QUICK_EVENTS = 60_000, 2_000
LARGE_BODY_BYTES = 16_384
ENDPOINTS, QUICK_ENDPOINTS = (1, 1_000, 10_000, 100_000), (1, 100)
RETRIES, QUICK_RETRIES = 100_000, 1_000
RETRY_LANES = 100
SESSIONS = (1, 2, 3)
CALLERS = 64
COMMAND_ROUNDS = 3
FANOUTS = (1, 10)
"""Webhooks that get each event."""
US_PER_S = 1e6
BYTES_PER_MIB = 1024 * 1024


class Run:
    """Measures in a folder on a real disk; `server` is a PostgreSQL server, or None where it is left out."""

    def __init__(
        self, spec: Spec, server: postgres.Server | None, *, quick: bool, say: Callable[[str], None]
    ) -> None:
        self._spec = spec
        self._server = server
        self._quick = quick
        self._say = say
        self._made = 0
        self.rows: list[Measured] = []

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores that are measured."""
        return STORES if self._server else STORES[:1]

    def _add(self, part: str, name: str, store: str, costs: Costs) -> None:
        rounded = {key: float(f"{value:.4g}") for key, value in costs.items()}
        self._say(f"  {name}, {store}: {shown(rounded)}")
        self.rows.append(Measured(part=part, name=name, store=store, costs=rounded))

    @contextlib.contextmanager
    def _store(self, store: str) -> Iterator[tuple[Spec, Path]]:
        """A new store while the block runs: what sides are told of it, and a folder of its own."""
        self._made += 1
        with tempfile.TemporaryDirectory(dir=self._spec.folder) as name:
            spec = msgspec.structs.replace(self._spec, folder=name)
            if store == "postgres":
                assert self._server is not None
                database = asyncio.run(self._server.make(f"measured_{self._made}"))
                pid = self._server.pid
                spec = msgspec.structs.replace(spec, database=database, server_pid=pid)
            yield spec, Path(name)
            if store == "postgres" and self._server is not None:
                self._server.run("DROP DATABASE {} WITH (FORCE)", f"measured_{self._made}")

    # -- events and deliveries ---------------------------------------------------------------------------

    def events(self) -> None:
        """Messages through the API, committed, with no webhook."""
        for store in self.stores:
            with self._store(store) as (spec, folder):
                counted, before, after, wal = self._posted(spec, folder)
            events = after["events"] - before["events"]
            disk = {
                f"{table}_bytes": (after[table] - before[table]) / events
                for table in ("feed", "messages")
            }
            costs = {**_cpu(counted), "per_s": counted.per_s, **disk}
            if wal:
                costs["wal_bytes"] = wal / events
            self._add("events", "message sent through the API", store, costs)

    def _posted(self, spec: Spec, folder: Path) -> tuple[Counted, Costs, Costs, float]:
        spec = msgspec.structs.replace(spec, side="post", ca_file="")
        with served(spec, folder) as (_, port), Api(port) as api:
            api.add_people()
        with _rows(spec, folder) as rows:
            before, began = _counted(rows), rows.log_position()
        with served(spec, folder) as (server, port):
            load_spec = LoadSpec(port=port, path="/v3/messages", clients=spec.connections)
            with loaded(load_spec, folder) as load:
                time.sleep(spec.warm_seconds)
                server.ask("begin")
                first = int(load.ask())
                time.sleep(spec.seconds)
                done = int(load.ask()) - first
                counted = decoded(server.ask("end"))
        with _rows(spec, folder) as rows:
            written = rows.log_position() - began
            rows.settle()
            after = _counted(rows)
        return msgspec.structs.replace(counted, done=done), before, after, written

    def deliveries(self) -> None:
        """A stored backlog of one webhook, appended and then delivered."""
        for store in self.stores:
            self._drained("deliveries", "event appended and delivered, 1.1 KB", store, 0)

    def body(self) -> None:
        """The same with a larger body."""
        kib = LARGE_BODY_BYTES // 1024
        for store in self.stores:
            name = f"event appended and delivered, {kib} KiB more"
            self._drained("body", name, store, LARGE_BODY_BYTES)

    def _drained(self, part: str, name: str, store: str, body_bytes: int) -> None:
        events = QUICK_EVENTS if self._quick else EVENTS
        if body_bytes:
            events //= 4
        with self._store(store) as (spec, folder):
            spec = msgspec.structs.replace(spec, events=events, body_bytes=body_bytes)
            side = "drain" if store == "sqlite" else "drain-postgres"
            made = make_backlog(spec)
            with _backlog_rows(spec, folder) as rows:
                rows.settle()
                before, began = rows.sizes(), rows.log_position()
            counted = run_side(msgspec.structs.replace(spec, side=side, keep=True))
            with _backlog_rows(spec, folder) as rows:
                written = rows.log_position() - began
                rows.settle()
                after = rows.sizes()
        costs = {"append_us": made.cpu_s / events * US_PER_S, **_cpu(counted)}
        costs["per_s"] = counted.per_s
        costs["feed_bytes"] = before["feed"] / events
        for table in ("deliveries", "attempts"):
            costs[f"{table}_bytes"] = (after[table] - before[table]) / events
        if written:
            costs["wal_bytes"] = written / events
        self._add(part, name, store, costs)

    # -- what waits --------------------------------------------------------------------------------------

    def endpoints(self) -> None:
        """Webhooks that get nothing."""
        for store in self.stores:
            for count in QUICK_ENDPOINTS if self._quick else ENDPOINTS:
                self._idle("endpoints", f"{count:,} webhooks", store, webhooks=count, retries=0)

    def retries(self) -> None:
        """Deliveries that failed once and wait for their next attempt."""
        many = QUICK_RETRIES if self._quick else RETRIES
        for store in self.stores:
            for count in (0, many):
                name = f"{count:,} waiting retries of {RETRY_LANES} webhooks"
                self._idle("retries", name, store, webhooks=RETRY_LANES, retries=count)

    def _idle(self, part: str, name: str, store: str, *, webhooks: int, retries: int) -> None:
        with self._store(store) as (spec, folder):
            place = folder / "store"
            first_delivery(spec, place, 1)
            with _rows(spec, place) as rows:
                rows.settle()
                before = rows.sizes()
                rows.add_webhooks(webhooks - 1)
                rows.add_retries(retries, RETRY_LANES)
                rows.settle()
                after = rows.sizes()
            spec = msgspec.structs.replace(spec, side="idle", folder=str(place / "data"))
            counted = run_side(spec)
        costs = dict(counted.notes)
        costs["cpu_ms_per_s"] = counted.cpu_s / counted.wall_s * 1000
        added = sum(after.values()) - sum(before.values())
        if retries:
            costs["disk_bytes_per_retry"] = added / retries
        elif webhooks > 1:
            costs["disk_bytes_per_webhook"] = added / (webhooks - 1)
        self._add(part, name, store, costs)

    # -- the cluster -------------------------------------------------------------------------------------

    def commands(self) -> None:
        """Messages by commands, without HTTP, from CALLERS callers in all; interleaved rounds, medians of them."""
        kinds = [(f"{CALLERS} callers, alone", store, 1, False) for store in self.stores]
        if self._server:
            kinds += [
                (f"{CALLERS} callers, {sessions} sessions with a baton", "postgres", sessions, True)
                for sessions in SESSIONS
            ]
        rounds = [
            [
                self._commands(store, sessions, cluster=cluster)
                for _, store, sessions, cluster in kinds
            ]
            for _ in range(1 if self._quick else COMMAND_ROUNDS)
        ]
        for (name, store, _, _), runs in zip(kinds, zip(*rounds, strict=True), strict=True):
            costs = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            costs["least_per_s"] = min(run["per_s"] for run in runs)
            costs["most_per_s"] = max(run["per_s"] for run in runs)
            self._add("commands", name, store, costs)

    def _commands(self, store: str, sessions: int, *, cluster: bool) -> Costs:
        with self._store(store) as (spec, folder), contextlib.ExitStack() as stack:
            post = msgspec.structs.replace(spec, side="post", ca_file="")
            with served(post, folder) as (_, port), Api(port) as api:
                api.add_people()
            if not spec.database:
                spec = msgspec.structs.replace(spec, store_file=f"data/{STORE_FILE}")
            callers = [len(range(place, CALLERS, sessions)) for place in range(sessions)]
            told = []
            for place, count in enumerate(callers):
                one = msgspec.structs.replace(
                    spec, side="commands", cluster=cluster, connections=count, server_pid=0
                )
                told.append(Told(command_of("side", one), folder / f"commands-{place}.log"))
                stack.callback(told[-1].close)
            for process in told:
                process.answer()
            used_s = families_cpu_s(spec.server_pid) if spec.server_pid else 0.0
            for process in told:
                process.tell("begin")
            answers = [msgspec.json.decode(process.answer(), type=Done) for process in told]
            if spec.server_pid:
                used_s = families_cpu_s(spec.server_pid) - used_s
        done = sum(one.counted.done for one in answers)
        tenths = Counter[str]()
        for answer in answers:
            tenths.update(answer.latencies)
        latencies = sorted(int(tenth) / 10 for tenth in tenths.elements())
        return {
            "per_s": sum(one.counted.per_s for one in answers),
            "p50_ms": percentile(latencies, 0.5),
            "p99_ms": percentile(latencies, 0.99),
            "own_us": sum(one.counted.cpu_s for one in answers) / done * US_PER_S,
            "server_us": used_s / done * US_PER_S,
            "per_commit": done / max(1.0, sum(one.commits for one in answers)),
        }

    def sequencer(self) -> None:
        """Fan-out alone, of a stored backlog."""
        if not self._server:
            return
        for webhooks in FANOUTS:
            with self._store("postgres") as (spec, folder):
                events = (QUICK_EVENTS if self._quick else EVENTS) // webhooks
                spec = msgspec.structs.replace(spec, events=events, webhooks=webhooks)
                make_backlog(spec)
                with _backlog_rows(spec, folder) as rows:
                    rows.settle()
                counted = run_side(msgspec.structs.replace(spec, side="sequencer"))
            costs = {**_cpu(counted), "per_s": counted.per_s}
            costs["deliveries_per_s"] = counted.per_s * webhooks
            self._add("sequencer", f"event fanned out to {webhooks} webhooks", "postgres", costs)


def _cpu(counted: Counted) -> Costs:
    """CPU time of one unit, µs: the process's own and, of a database, the server's."""
    own_s = counted.notes.get("own_cpu_s", counted.cpu_s)
    costs = {"own_us": own_s / counted.done * US_PER_S}
    if "own_cpu_s" in counted.notes:
        costs["server_us"] = (counted.cpu_s - own_s) / counted.done * US_PER_S
    return costs


def _rows(spec: Spec, folder: Path) -> Rows:
    return Rows(folder / "data" / STORE_FILE, database=spec.database)


def _backlog_rows(spec: Spec, folder: Path) -> Rows:
    return Rows(folder / spec.store_file, database=spec.database)


def _counted(rows: Rows) -> Costs:
    return {"events": float(rows.count("feed")), **rows.sizes()}


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {PARTS}")
    return names


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few of everything, short")
    parser.add_argument("--only", type=_names, default=PARTS, help=f"some of {','.join(PARTS)}")
    parser.add_argument("--seconds", type=float, help=f"of each timed run ({SECONDS:g})")
    parser.add_argument("--folder", type=Path, help="where stores are kept; a temporary folder")
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="JSON",
        help=f"measure nothing: write the tables of this run into {PAGE}",
    )
    options = parser.parse_args(argv)
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    return options


def _document(path: Path) -> None:
    made = msgspec.json.decode(path.read_bytes(), type=Capacity)
    page = PAGE.read_text("utf-8")
    PAGE.write_text(report.put_between_marks(page, markdown(made)), "utf-8")


def main() -> None:
    """See the module."""
    options = _arguments(sys.argv[1:])
    if options.markdown is not None:
        _document(options.markdown)
        return
    configure_logs("warning")
    console = Console(soft_wrap=True, highlight=False, width=180)
    skipped, failed = {}, {}
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder))
        facts = gather(Path(name))
        server = None
        if lacking := postgres.missing():
            skipped["postgres"] = lacking
        else:
            server = stack.enter_context(postgres.Server())
        endpoint = stack.enter_context(running_endpoint(Path(name)))
        spec = Spec(
            side="",
            seconds=options.seconds,
            port=endpoint.port,
            ca_file=str(endpoint.ca_file),
            folder=name,
            connections=CALLERS,
        )
        run = Run(
            spec, server, quick=options.quick, say=lambda text: console.print(text, style="dim")
        )
        for part in options.only:
            console.print(part, style="bold")
            try:
                getattr(run, part)()
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                # The others still give theirs; the exit status says that one did not.
                failed[part] = str(error)
                console.print(f"{part} gave no figures: {error}", style="red", markup=False)
    made = Capacity(
        command=" ".join(["python", "-m", "benchmarks.capacity", *sys.argv[1:]]),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        facts=facts,
        load_average_after=gather(Path(tempfile.gettempdir())).load_average,
        rows=run.rows,
        skipped=skipped,
        failed=failed,
    )
    report.RESULTS.mkdir(exist_ok=True)
    path = report.RESULTS / f"capacity-{report.stamp()}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    show(made, console)
    console.print(f"written to {path}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
