"""The figures: what is run for each, and what its rows are held to. Source of the targets: docs/reference/benchmarks.md."""

import asyncio
import contextlib
import statistics
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.beside import ON_POSTGRES, QUEUES, beside_rows
from benchmarks.cluster import (
    QUICK_STEADY_S,
    STEADY_S,
    cpu_rows,
    steady_rows,
    throughput_rows,
)
from benchmarks.endpoint import Endpoint, running_endpoint
from benchmarks.figures import CONTROL_OFF_MIB, CONTROL_OFF_MS, Row, Target, median_notes, row
from benchmarks.measuring import Rounds, noted, per_cpu_s, per_s
from benchmarks.postgres import Server
from benchmarks.running import make_backlog, run_side
from benchmarks.side import Counted, Spec
from benchmarks.whole import (
    LATENCY_RATE,
    PENDING_WEBHOOKS,
    prepare_store,
    run_import,
    run_isolation,
    run_latency,
    run_stored,
)

DRAINED_PER_S = 12_000
"""Deliveries of a backlog per second of a run: about what is drained in one, so that a drain takes about a run's time."""
MEMORY_ROUNDS_MAX = 3
"""Sizes spread less than rates, and take longer to prepare."""
STORED_EVENTS, QUICK_STORED_EVENTS = 1_000_000, 100_000
FEW_EVENTS = 10_000
IMPORTED_USERS, QUICK_IMPORTED_USERS = 1_000_000, 50_000
LIST_MS_MAX = 20.0
LATENCY_AIM_MS = 50.0
FSYNCS_ALLOWED, LATENCY_SPARE_MS = 3, 5.0

Say = Callable[[str], None]


class Plan:
    """One run of the program: runs experiments, one after the other, in `folder`."""

    def __init__(self, spec: Spec, rounds: int, *, quick: bool, say: Say) -> None:
        """
        Args:
            spec: what sides are told alike; its folder is on a real disk.
            rounds: of each experiment.
            quick: smaller stores and a smaller import.
            say: shows progress.
        """
        self._spec = spec
        self._rounds = rounds
        self._quick = quick
        self._say = say
        self._folder = Path(spec.folder)
        self._stack = contextlib.ExitStack()
        self._endpoint: Endpoint | None = None
        self._backlog = False
        self._postgres: Server | None = None
        self.skipped: dict[str, str] = {}
        """What was left out and why, by name."""

    def __enter__(self) -> "Plan":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def endpoint(self) -> str:
        """What answers deliveries."""
        return self._endpoint.kind if self._endpoint else "none"

    # -- preparing ---------------------------------------------------------------------------------------

    def prepare_endpoint(self) -> None:
        """Start the endpoint, once."""
        if self._endpoint is None:
            self._endpoint = self._stack.enter_context(running_endpoint(self._folder))
            self._spec = msgspec.structs.replace(
                self._spec, port=self._endpoint.port, ca_file=str(self._endpoint.ca_file)
            )

    def prepare_backlog(self) -> None:
        """Make the backlog that drains begin with, once."""
        self.prepare_endpoint()
        if not self._backlog:
            events = max(1, int(self._spec.seconds * DRAINED_PER_S / self._spec.webhooks))
            self._spec = msgspec.structs.replace(self._spec, events=events)
            self._say(f"a backlog of {events:,} events is made")
            make_backlog(self._spec)
            self._backlog = True

    def run(self, side: str, profile: str = "") -> Counted:
        """Run one side."""
        spec = msgspec.structs.replace(self._spec, side=side, profile=profile)
        if side != ON_POSTGRES or self._postgres is None:
            return self._shown(side, run_side(spec))
        with self._postgres.copy("backlog", "drained") as database:
            pid = self._postgres.pid
            spec = msgspec.structs.replace(spec, database=database, server_pid=pid)
            return self._shown(side, run_side(spec))

    def _shown(self, side: str, counted: Counted) -> Counted:
        notes = ", ".join(f"{name} {value:g}" for name, value in counted.notes.items())
        rates = f"{counted.per_cpu_s:>9,.0f} per CPU-s {counted.per_s:>9,.0f} per s"
        self._say(f"  {side:<14} {rates}  {notes}")
        return counted

    def _measure(
        self,
        base: str,
        measured: tuple[str, ...],
        run: Callable[[str], Counted],
        rounds_max: int | None = None,
    ) -> Rounds:
        rounds = Rounds(base, measured)
        count = min(self._rounds, rounds_max or self._rounds)
        for number in range(1, count + 1):
            self._say(f"round {number} of {count}")
            rounds.round(run)
        return rounds

    # -- figures 1 to 3 ----------------------------------------------------------------------------------

    def outbound(self, wanted: frozenset[str]) -> list[Row]:
        """Figures 1 and 2: the sender and the drain against the bare loops."""
        self.prepare_endpoint()
        if "drain" in wanted:
            self.prepare_backlog()
        sides = ["plain"]
        sides += ["client", "sender"] if "sender" in wanted else []
        sides += ["drain"] if "drain" in wanted else []
        rounds = self._measure("bare", tuple(sides), self.run)
        rows = []
        for figure, side, name, least in (
            ("1", "plain", "bare loop, plain", None),
            ("1", "client", "client alone", None),
            ("1", "sender", "sender", 0.80),
            ("2", "drain", "backlog drain", 0.50),
        ):
            if side in sides:
                rows += _against(rounds, figure, side, name, "tuned bare loop", least)
            if side in sides and least is not None:
                values = rounds.ratios_to(side, "plain", per_cpu_s)
                control = rounds.control(per_cpu_s)
                rows.append(row(figure, f"{name} ÷ plain bare loop", values, control=control))
        return rows

    def post(self) -> list[Row]:
        """Figure 3: a message against a trivial route."""
        rounds = self._measure("trivial", ("post",), self.run)
        return _against(rounds, "3", "post", "POST /v3/messages", "trivial JSON route", 0.30)

    # -- figures 4 and 5 ---------------------------------------------------------------------------------

    def latency(self) -> list[Row]:
        """Figure 4: from the answer to the arrival."""
        runs = []
        for number in range(1, self._rounds + 1):
            self._say(f"round {number} of {self._rounds}")
            runs.append(self._shown("latency", run_latency(self._spec)))
        notes = median_notes([run.notes for run in runs])
        bound = FSYNCS_ALLOWED * notes["fsync_p50_ms"] + LATENCY_SPARE_MS
        p50 = Target(
            at_most=bound,
            text=f"≤ {FSYNCS_ALLOWED} × fsync + {LATENCY_SPARE_MS:g} ms = {bound:.2f} ms",
        )
        p99 = Target(at_most=LATENCY_AIM_MS, text=f"aim: ≤ {LATENCY_AIM_MS:g} ms")
        name = f"answer to arrival at {LATENCY_RATE:g} messages/s"
        return [
            row(
                "4",
                f"{name}, p50",
                [run.notes["p50_ms"] for run in runs],
                unit="ms",
                target=p50,
                notes=notes,
            ),
            row(
                "4",
                f"{name}, p99",
                [run.notes["p99_ms"] for run in runs],
                unit="ms",
                target=p99,
            ),
        ]

    def isolation(self) -> list[Row]:
        """Figure 5: one of many endpoints hangs."""

        def run(side: str) -> Counted:
            return self._shown(side, run_isolation(msgspec.structs.replace(self._spec, side=side)))

        p99 = noted("p99_ms")
        rounds = self._measure("calm", ("hanging",), run)
        difference = rounds.difference("hanging", p99)
        return [
            row(
                "5",
                "p99 of 99 endpoints while one more hangs ÷ p99 while it does not",
                rounds.ratios("hanging", p99),
                target=Target(at_most=1.25, or_at_most=5.0, text="≤ 1.25 or + 5 ms"),
                control=rounds.control(p99),
                control_difference=rounds.control_difference(p99),
                control_slack=CONTROL_OFF_MS,
                difference=difference,
                notes={
                    "p99_ms": round(rounds.median("hanging", p99), 2),
                    "p99_ms_without": round(rounds.median("calm", p99), 2),
                    "difference_ms": round(difference, 2),
                },
            )
        ]

    # -- figure 6 ----------------------------------------------------------------------------------------

    def _stored(
        self, side: str, many: int, few: int, webhooks: int, *, pending: bool
    ) -> tuple[Rounds, dict[str, float]]:
        self.prepare_endpoint()
        sizes: dict[str, float] = {}
        for name, events in (("many", many), ("few", few)):
            self._say(f"a store of {events * webhooks:,} deliveries is made")
            sizes[f"{name}_store_mib"] = round(
                prepare_store(
                    self._spec,
                    self._folder / f"{side}-{name}",
                    events,
                    webhooks=webhooks,
                    pending=pending,
                )
            )
        spec = msgspec.structs.replace(
            self._spec, side=side, events=int(self._spec.seconds * DRAINED_PER_S)
        )

        def run(which: str) -> Counted:
            # Of the large store no copy is made where a run only adds to it.
            keep = which == "many" and not pending
            prepared = self._folder / f"{side}-{which}"
            return self._shown(which, run_stored(spec, prepared, keep=keep))

        rounds_max = MEMORY_ROUNDS_MAX if pending else None
        return self._measure("few", ("many",), run, rounds_max), sizes

    def scale(self) -> list[Row]:
        """Figure 6: CPU time per delivery with many events stored."""
        many = QUICK_STORED_EVENTS if self._quick else STORED_EVENTS
        rounds, sizes = self._stored("scale", many, FEW_EVENTS, 1, pending=False)
        return [
            row(
                "6",
                f"CPU per delivery with {many:,} stored events ÷ with {FEW_EVENTS:,}",
                rounds.inverse_ratios("many", per_cpu_s),
                target=Target(at_most=1.20, text="≤ 1.20"),
                control=rounds.control(per_cpu_s),
                notes={
                    "us_with_many": round(1e6 / rounds.median("many", per_cpu_s), 1),
                    "us_with_few": round(1e6 / rounds.median("few", per_cpu_s), 1),
                    **sizes,
                },
            )
        ]

    def memory(self) -> list[Row]:
        """Figure 6: memory with many deliveries pending."""
        many = QUICK_STORED_EVENTS if self._quick else STORED_EVENTS
        spec, self._spec = (
            self._spec,
            msgspec.structs.replace(self._spec, seconds=self._spec.seconds / 2),
        )
        per_webhook = PENDING_WEBHOOKS
        rounds, sizes = self._stored(
            "memory",
            many // per_webhook,
            FEW_EVENTS // per_webhook,
            PENDING_WEBHOOKS,
            pending=True,
        )
        self._spec = spec
        rss = noted("rss_mib")
        means = rounds.base_means(rss)
        growth = [
            run.notes["rss_mib"] - mean
            for run, mean in zip(rounds.runs["many"], means, strict=True)
        ]
        return [
            row(
                "6",
                f"memory with {many:,} pending deliveries less that with {FEW_EVENTS:,}",
                growth,
                unit="MiB",
                target=Target(at_most=250.0, text="≤ 250 MiB"),
                control=rounds.control(rss),
                control_difference=rounds.control_difference(rss),
                control_slack=CONTROL_OFF_MIB,
                notes={
                    "rss_mib": round(rounds.median("many", rss), 1),
                    "rss_mib_with_few": round(rounds.median("few", rss), 1),
                    "left_pending": rounds.median("many", noted("left")),
                    **sizes,
                },
            )
        ]

    # -- figures 7 and 8 ---------------------------------------------------------------------------------

    def beside(self) -> list[Row]:
        """Figure 7: the drain beside queues that are often used instead, and beside a plain aiohttp loop."""
        self.prepare_backlog()
        sides = []
        for side, (name, missing) in QUEUES.items():
            if lacking := missing():
                self.skipped[name] = lacking
                self._say(f"{name} is left out: {lacking}")
            else:
                sides.append(side)
        if ON_POSTGRES in sides:
            self._postgres = self._stack.enter_context(Server())
            asyncio.run(self._prepare_postgres())
        rounds = self._measure("drain", (*sides, "aiohttp"), self.run)
        return beside_rows(rounds, sides)

    async def _prepare_postgres(self) -> None:
        assert self._postgres is not None
        spec = msgspec.structs.replace(self._spec, database=await self._postgres.make("backlog"))
        make_backlog(spec)

    # -- figure 9 ----------------------------------------------------------------------------------------

    def cluster(self) -> list[Row]:
        """Figure 9: several processes on PostgreSQL and NATS."""
        self.prepare_backlog()
        found = cpu_rows(
            self._spec, self._rounds, lambda: run_side(self._drain()), self._shown, self._say
        )
        return found + throughput_rows(self._spec, self._rounds, self._shown, self._say)

    def _drain(self) -> Spec:
        return msgspec.structs.replace(self._spec, side="drain")

    def steady(self) -> list[Row]:
        """Figure 9: minutes at a part of the peak."""
        self.prepare_endpoint()
        return steady_rows(self._spec, QUICK_STEADY_S if self._quick else STEADY_S, self._say)

    def imported(self) -> list[Row]:
        """Figure 8: an import of users, and lists after it."""
        users = QUICK_IMPORTED_USERS if self._quick else IMPORTED_USERS
        self._say(f"{users:,} users are imported")
        found = run_import(self._spec, users)
        notes = {name: float(value) for name, value in msgspec.structs.asdict(found).items()}
        within = Target(at_most=LIST_MS_MAX, text=f"≤ {LIST_MS_MAX:g} ms")
        last = f"users, page {found.last_page:,}"
        return [
            row("8", f"import of {users:,} users", [found.per_s], unit="per s", notes=notes),
            row("8", "growth of memory over it", [found.growth_mib], unit="MiB"),
            row("8", "users, page 1, p50", [found.first_page_p50_ms], unit="ms", target=within),
            row("8", f"{last}, p50", [found.last_page_p50_ms], unit="ms", target=within),
            row("8", f"{last}, p99", [found.last_page_p99_ms], unit="ms", target=within),
        ]


def _against(
    rounds: Rounds, figure: str, side: str, name: str, base: str, least: float | None
) -> list[Row]:
    """A side's rate per CPU-second over its base's."""
    target = None if least is None else Target(at_least=least, text=f"≥ {least:.2f}")
    notes = {
        "per_cpu_s": round(rounds.median(side, per_cpu_s)),
        "per_s": round(rounds.median(side, per_s)),
        "base_per_cpu_s": round(statistics.median(rounds.base_means(per_cpu_s))),
        **median_notes(rounds.notes(side)),
    }
    return [
        row(
            figure,
            f"{name} ÷ {base}",
            rounds.ratios(side, per_cpu_s),
            target=target,
            control=rounds.control(per_cpu_s),
            notes=notes,
        )
    ]
