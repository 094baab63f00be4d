"""`python -m benchmarks`: what the program costs next to bare loops on the same machine, or where its time goes."""

import argparse
import contextlib
import shlex
import signal
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks import report
from benchmarks.endpoint import running_endpoint
from benchmarks.facts import gather
from benchmarks.measuring import Experiment
from benchmarks.running import make_backlog, run_side
from benchmarks.side import Counted, Spec

ROUNDS = 5
SECONDS = 10.0
QUICK_ROUNDS = 3
QUICK_SECONDS = 2.0
WARM_S = 0.5
CONNECTIONS = 64
DRAINED_PER_S = 8_000
"""Deliveries of the backlog per second of a run: about what one core drains, so that a drain takes about a run's time."""
OUTBOUND = ("plain", "client", "sender", "drain")


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 2 s")
    parser.add_argument("--rounds", type=int, help=f"rounds of each experiment ({ROUNDS})")
    parser.add_argument("--seconds", type=float, help=f"seconds of each run ({SECONDS:g})")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--webhooks", type=int, default=1, help="of the drain; they share the load")
    parser.add_argument("--only", choices=("outbound", "post"), help="one experiment only")
    parser.add_argument("--folder", type=Path, help="where stores are kept; a temporary folder")
    parser.add_argument(
        "--profile", choices=("sender", "drain", "post"), help="where the time of a side goes"
    )
    options = parser.parse_args(argv)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    return options


class _Bench:
    """One run of the program."""

    def __init__(self, options: argparse.Namespace, folder: Path, console: Console) -> None:
        self._options = options
        self._console = console
        self._spec = Spec(
            side="",
            seconds=options.seconds,
            warm_seconds=WARM_S,
            connections=options.connections,
            webhooks=options.webhooks,
            folder=str(folder),
        )
        self.endpoint = "none"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "_Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def prepare_outbound(self, *, drains: bool) -> None:
        """Start the endpoint; make the backlog."""
        folder = Path(self._spec.folder)
        endpoint = self._stack.enter_context(running_endpoint(folder))
        self.endpoint = endpoint.kind
        events = max(1, int(self._spec.seconds * DRAINED_PER_S / self._spec.webhooks))
        self._spec = msgspec.structs.replace(
            self._spec, port=endpoint.port, ca_file=str(endpoint.ca_file), events=events
        )
        if drains:
            self._console.print(f"a backlog of {events:,} events is made", style="dim")
            make_backlog(self._spec)

    def run(self, side: str, profile: str = "") -> Counted:
        """Run one side and tell its rate."""
        counted = run_side(msgspec.structs.replace(self._spec, side=side, profile=profile))
        self._console.print(
            f"  {side:<8} {counted.per_cpu_s:>9,.0f} per CPU-s {counted.per_s:>9,.0f} per s",
            style="dim",
        )
        return counted

    def measure(self, experiment: Experiment) -> Experiment:
        """Run all rounds of an experiment."""
        for number in range(1, self._options.rounds + 1):
            self._console.print(f"round {number} of {self._options.rounds}", style="dim")
            experiment.round(self.run)
        return experiment


def _profile(bench: _Bench, side: str, console: Console) -> None:
    if side != "post":
        bench.prepare_outbound(drains=side == "drain")
    for kind in ("samples", "calls"):
        counted = bench.run(side, kind)
        report.RESULTS.mkdir(exist_ok=True)
        path = report.RESULTS / f"profile-{side}-{kind}-{report.stamp()}.txt"
        path.write_text(counted.profile + "\n", "utf-8")
        console.print(counted.profile, markup=False, soft_wrap=True)
        console.print(f"written to {path}")


def _measure(bench: _Bench, options: argparse.Namespace, folder: Path, console: Console) -> None:
    before = gather(folder)
    figures = []
    if options.only != "post":
        bench.prepare_outbound(drains=True)
        figures += bench.measure(Experiment("bare", OUTBOUND, second="plain")).figures()
    if options.only != "outbound":
        figures += bench.measure(Experiment("trivial", ("post",))).figures()
    made = report.make(
        command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        endpoint=bench.endpoint,
        seconds=options.seconds,
        rounds=options.rounds,
        connections=options.connections,
        facts=(before, gather(folder)),
        figures=figures,
    )
    report.show(made, console)
    console.print(f"written to {report.write(made)}")


def main() -> None:
    """See the module."""
    options = _arguments(sys.argv[1:])
    # Ended from outside, the endpoint is still ended and what was stored removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console(soft_wrap=True, highlight=False, width=160)
    parent = options.folder
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chathooks-bench-", dir=parent) as name:
        folder = Path(name)
        with _Bench(options, folder, console) as bench:
            if options.profile:
                _profile(bench, options.profile, console)
            else:
                _measure(bench, options, folder, console)


if __name__ == "__main__":
    main()
