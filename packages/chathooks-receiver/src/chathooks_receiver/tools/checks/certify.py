"""Run checks against an endpoint, one after the other, and grade what they found.

A check that another one needs and that failed keeps the other from running. The whole is bounded in time: what did
not come to run counts as skipped, and then there is no grade above C.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import msgspec

from chathooks_receiver.tools.checks.catalogue import CHECKS, CHECKS_BY_ID
from chathooks_receiver.tools.checks.contract import (
    Check,
    Finding,
    Probe,
    Severity,
    State,
    failed,
    skipped,
)
from chathooks_receiver.tools.connection import ConnectionFailed
from chathooks_receiver.tools.failures import ToolFailed

TIME_MAX_S = 180.0
"""Of all checks together, unless told otherwise."""
CHECK_TIME_MAX_S = 60.0
MAJOR_FOR_D = 2
"""From how many failed major checks on the grade is D."""

Grade: TypeAlias = Literal["A", "B", "C", "D", "F"]
GRADES: Sequence[Grade] = ("A", "B", "C", "D", "F")


class Judgement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one check. `advice` says how to fix it, empty unless it failed."""

    id: str
    title: str
    section: str
    severity: Severity
    state: State
    detail: str
    advice: str
    requests: int
    duration_ms: float


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The certificate. `at` is unix seconds. `grade` is None where nothing was judged."""

    url: str
    at: int
    grade: Grade | None
    passed: int
    failed: int
    skipped: int
    complete: bool
    """Whether every chosen check came to run, or could not for a reason of the endpoint's own."""
    judgements: Sequence[Judgement]


def choose(only: Sequence[str], skip: Sequence[str]) -> list[Check]:
    """The checks to run. Raises ToolFailed: ERR_CHECK, naming an id that there is not."""
    unknown = [name for name in (*only, *skip) if name not in CHECKS_BY_ID]
    if unknown:
        raise ToolFailed(
            "ERR_CHECK",
            f"There is no check called {', '.join(repr(name) for name in unknown)}.",
            advice="`chathooks-receiver check --list` shows the ids.",
        )
    return [check for check in CHECKS if (not only or check.id in only) and check.id not in skip]


def grade(judgements: Sequence[Judgement], *, complete: bool = True) -> Grade | None:
    """A: nothing failed. B: minor ones only. C: one major. D: several major. F: a critical one."""
    if all(item.state == "skipped" for item in judgements):
        return None
    failures = [item.severity for item in judgements if item.state == "failed"]
    if "critical" in failures:
        return "F"
    majors = failures.count("major")
    if majors >= MAJOR_FOR_D:
        return "D"
    if majors or not complete:
        return "C"
    return "B" if failures else "A"


async def certify(
    probe: Probe,
    checks: Sequence[Check],
    *,
    time_max_s: float = TIME_MAX_S,
    told: Callable[[Check, Judgement | None], None],
    stop: asyncio.Event | None = None,
) -> Report:
    """Run `checks` in their order. `told` hears of each before (None) and after it ran."""
    until_s = time.perf_counter() + time_max_s
    chosen = {check.id for check in checks}
    blocked: set[str] = set()
    judgements: list[Judgement] = []
    complete = True
    for check in checks:
        told(check, None)
        missing = [CHECKS_BY_ID[name].title for name in check.requires if name in blocked & chosen]
        left_s = until_s - time.perf_counter()
        before, started_s = probe.requests, time.perf_counter()
        if missing:
            finding = skipped(f"The endpoint must first be one that {missing[0]}.")
        elif left_s <= 0 or (stop is not None and stop.is_set()):
            complete = False
            finding = skipped("There was no time left.")
        else:
            found = await _run(check, probe, min(left_s, CHECK_TIME_MAX_S), stop)
            complete = complete and found is not None
            finding = found or skipped("It was interrupted.")
        if missing or finding.state == "failed":
            blocked.add(check.id)
        judgement = Judgement(
            id=check.id,
            title=check.title,
            section=check.section,
            severity=check.severity,
            state=finding.state,
            detail=finding.detail,
            advice=check.advice if finding.state == "failed" else "",
            requests=probe.requests - before,
            duration_ms=round((time.perf_counter() - started_s) * 1000, 1),
        )
        judgements.append(judgement)
        told(check, judgement)
    states = [item.state for item in judgements]
    return Report(
        url=probe.target.url,
        at=int(probe.wall_s()),
        grade=grade(judgements, complete=complete),
        passed=states.count("passed"),
        failed=states.count("failed"),
        skipped=states.count("skipped"),
        complete=complete,
        judgements=judgements,
    )


async def _run(
    check: Check, probe: Probe, time_max_s: float, stop: asyncio.Event | None
) -> Finding | None:
    """What the check finds; None where it was stopped."""
    running = asyncio.create_task(check.run(probe))
    stopping = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait(
            (running, stopping), timeout=time_max_s, return_when=asyncio.FIRST_COMPLETED
        )
        if running.done():
            return running.result()
        return None if stopping.done() else failed(f"It was not over after {time_max_s:.0f} s.")
    except ConnectionFailed as error:
        return failed(f"The connection failed: {error}.")
    finally:
        running.cancel()
        stopping.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)
