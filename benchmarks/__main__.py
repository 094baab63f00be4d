"""`python -m benchmarks`: what the program costs next to what does the least possible, or where its time goes."""

import argparse
import datetime
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks import report
from benchmarks.facts import gather
from benchmarks.figures import Row
from benchmarks.plan import Plan
from benchmarks.side import Spec
from chathooks import __version__
from chathooks.app.logs import configure_logs

ROUNDS = 5
SECONDS = 10.0
QUICK_ROUNDS = 3
QUICK_SECONDS = 2.0
WARM_S = 0.5
CONNECTIONS = 64
NAMES = (
    "sender",
    "drain",
    "post",
    "latency",
    "isolation",
    "scale",
    "memory",
    "beside",
    "import",
    "cluster",
    "steady",
)


def _names(text: str) -> frozenset[str]:
    names = frozenset(text.split(","))
    if unknown := names - set(NAMES):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {NAMES}")
    return names


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 2 s, smaller stores")
    parser.add_argument("--rounds", type=int, help=f"rounds of each experiment ({ROUNDS})")
    parser.add_argument("--seconds", type=float, help=f"seconds of each run ({SECONDS:g})")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--webhooks", type=int, default=1, help="of the drain; they share the load")
    parser.add_argument(
        "--only", type=_names, default=frozenset(NAMES), help=f"some of {','.join(NAMES)}"
    )
    parser.add_argument("--folder", type=Path, help="where stores are kept; a temporary folder")
    parser.add_argument(
        "--profile", choices=("sender", "drain", "post"), help="where the time of a side goes"
    )
    parser.add_argument(
        "--markdown",
        nargs="*",
        type=Path,
        metavar="JSON",
        help=f"measure nothing: write the table of these reports, or of the newest, into {report.PAGE}",
    )
    options = parser.parse_args(argv)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    return options


def _profile(plan: Plan, side: str, console: Console) -> None:
    if side == "drain":
        plan.prepare_backlog()
    elif side == "sender":
        plan.prepare_endpoint()
    for kind in ("samples", "calls"):
        counted = plan.run(side, kind)
        report.RESULTS.mkdir(exist_ok=True)
        path = report.RESULTS / f"profile-{side}-{kind}-{report.stamp()}.txt"
        path.write_text(counted.profile + "\n", "utf-8")
        console.print(counted.profile, markup=False, soft_wrap=True)
        console.print(f"written to {path}")


def _experiments(plan: Plan, wanted: frozenset[str]) -> dict[str, Callable[[], list[Row]]]:
    found: dict[str, Callable[[], list[Row]]] = {}
    if outbound := wanted & {"sender", "drain"}:
        found["sender and drain"] = lambda: plan.outbound(outbound)
    others = {
        "post": plan.post,
        "latency": plan.latency,
        "isolation": plan.isolation,
        "scale": plan.scale,
        "memory": plan.memory,
        "beside": plan.beside,
        "import": plan.imported,
        "cluster": plan.cluster,
        "steady": plan.steady,
    }
    return found | {name: run for name, run in others.items() if name in wanted}


def _measure(plan: Plan, options: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Run what is wanted; the report is written anew after each experiment. Answers whether all gave figures."""
    before, began = gather(folder), time.monotonic()
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    path = report.RESULTS / f"bench-{report.stamp()}.json"
    rows: list[Row] = []
    failed: dict[str, str] = {}
    made = None
    for name, run in _experiments(plan, options.only).items():
        console.print(f"{name} ({(time.monotonic() - began) / 60:.1f} min)", style="bold")
        try:
            rows += run()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            # The others still give theirs; the exit status says that one did not.
            failed[name] = str(error)
            console.print(f"{name} gave no figures: {error}", style="red", markup=False)
        made = report.Report(
            command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
            date=date,
            version=__version__,
            endpoint=plan.endpoint,
            seconds=options.seconds,
            rounds=options.rounds,
            connections=options.connections,
            took_s=round(time.monotonic() - began, 1),
            facts=before,
            facts_after=gather(folder),
            rows=rows,
            failed=failed,
            skipped=plan.skipped,
        )
        report.write(made, path)
    if made is not None:
        report.show(made, console)
    console.print(f"written to {path}")
    return not failed


def _document(paths: list[Path], console: Console) -> None:
    reports = [report.read(path) for path in paths or [report.newest()]]
    page = report.PAGE.read_text("utf-8")
    report.PAGE.write_text(report.put_between_marks(page, report.markdown(reports)), "utf-8")
    console.print(f"written to {report.PAGE}")


def main() -> None:
    """See the module."""
    options = _arguments(sys.argv[1:])
    configure_logs("warning")
    console = Console(soft_wrap=True, highlight=False, width=180)
    if options.markdown is not None:
        _document(options.markdown, console)
        return
    # Ended from outside, the endpoint is still ended and what was stored removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parent = options.folder
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chathooks-bench-", dir=parent) as name:
        folder = Path(name)
        spec = Spec(
            side="",
            seconds=options.seconds,
            warm_seconds=WARM_S,
            connections=options.connections,
            webhooks=options.webhooks,
            folder=name,
        )

        def say(text: str) -> None:
            console.print(text, style="dim", markup=False)

        complete = True
        with Plan(spec, options.rounds, quick=options.quick, say=say) as plan:
            if options.profile:
                _profile(plan, options.profile, console)
            else:
                complete = _measure(plan, options, folder, console)
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
