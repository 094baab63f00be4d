"""Receive a delivery: check it, decode it, hand it over once, answer.

Framework-free: a request goes in as method, headers and body, an answer comes out. Whatever arrives, `handle`
answers; it never raises. Two forms share every check:

* `Receiver` calls a function in the thread of the request and remembers what it accepted in memory;
* `AsyncReceiver` awaits a sink and a dedupe store, and keeps to a time budget.

    not seen ──claim──▶ in flight ──sink accepts──▶ accepted ──confirm──▶ seen ─▶ 200
                            └──sink fails, time is up──▶ released ─▶ 500 or 503, the sender tries again

An event counts as seen only after the sink has accepted it. A crash before that loses nothing, since nobody was
told 200; a crash after it, before the confirmation, makes the sender's next attempt a second copy. The same event
twice at once: the second waits for the outcome of the first, and gets 200 only if the sink has the event.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import NamedTuple

import msgspec

from chathooks_events.envelope import ReceivedEvent
from chathooks_events.signing import TIMESTAMP_TOLERANCE_S
from chathooks_receiver.dedupe import Claim, Dedupe
from chathooks_receiver.intake import (
    BODY_BYTES_MAX,
    Arrival,
    Headers,
    Intake,
    Refusal,
    Response,
    answer,
    refused,
)
from chathooks_receiver.sinks import Sink, SinkUnavailable
from chathooks_receiver.window import SEEN_EVENTS_MAX, SeenWindow

__all__ = [
    "BODY_BYTES_MAX",
    "AsyncReceiver",
    "Headers",
    "Outcome",
    "Receiver",
    "Refusal",
    "Response",
]

SINK_BUDGET_S = 1.5
"""How long an event may take to be stored; the sender waits two seconds for the whole (delivery contract §2)."""
DEDUPE_BUDGET_S = 0.4
"""How long the dedupe store may take before the event is handed over without it."""
CLAIM_POLL_S = 0.03
"""How often to ask again while another process is at the same event."""
IN_FLIGHT_MAX = 512
"""How many events may be on their way to the sink at once; more are answered 503 at once."""
RETRY_AFTER_S = 1

log = logging.getLogger(__name__)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request, for metrics and logs. Durations are in seconds.

    `result` is accepted, duplicate, refused (the sender's fault) or failed (ours); `code` the error code, or None.
    `arrival` is None for a refused request. `sink_s` is None where the sink was not asked.
    """

    status: int
    result: str
    code: str | None
    arrival: Arrival | None
    duration_s: float
    sink_s: float | None
    body_bytes: int
    confirmed: bool = True


Observer = Callable[[Outcome], None]


class _Verdict(NamedTuple):
    """An answer, and what it is called in metrics and logs."""

    response: Response
    result: str
    code: str | None


def _refusal(refusal: Refusal) -> _Verdict:
    result = "failed" if refusal.status >= 500 else "refused"
    return _Verdict(refused(refusal), result, refusal.code)


def _unavailable(code: str, message: str) -> _Verdict:
    return _refusal(Refusal(503, code, message, {"Retry-After": str(RETRY_AFTER_S)}))


_ACCEPTED = _Verdict(answer(200, {"status": "accepted"}), "accepted", None)
_DUPLICATE = _Verdict(answer(200, {"status": "duplicate"}), "duplicate", None)
_TIMED_OUT = _unavailable("ERR_SINK_TIMEOUT", "The event could not be stored in time. Try again.")
_DOWN = _unavailable("ERR_SINK_UNAVAILABLE", "The event cannot be stored now. Try again.")
_OVERLOADED = _unavailable("ERR_OVERLOADED", "Too many events are being stored. Try again.")
_IN_PROGRESS = _unavailable("ERR_IN_PROGRESS", "The same event is being stored. Try again.")
_STOPPING = _unavailable("ERR_STOPPING", "The receiver is stopping. Try again.")
_FAILED = _refusal(Refusal(500, "ERR_HANDLER_FAILED", "The receiver could not process the event."))


class Receiver:
    """The endpoint of a webhook, for code that runs in threads.

    `handler` gets each event once it is verified; when it returns, the delivery is acknowledged. It should take
    less than the two seconds that a delivery may last (delivery contract §2), so hand long work to a queue.
    """

    def __init__(
        self,
        *,
        handler: Callable[[ReceivedEvent], None],
        now_s: Callable[[], float] = time.time,
        credentials: Sequence[tuple[str, str]] = (),
        secrets: Sequence[str] = (),
        body_bytes_max: int = BODY_BYTES_MAX,
        seen_events_max: int = SEEN_EVENTS_MAX,
        tolerance_s: float = TIMESTAMP_TOLERANCE_S,
        wait_s: float = SINK_BUDGET_S,
    ) -> None:
        """Configure what is accepted.

        `credentials` are the accepted (username, password) pairs of Basic auth, `secrets` the accepted signing
        secrets; several of each serve a rotation. What is given is required of every request, both if both are.
        `now_s` tells the unix time in seconds. `tolerance_s` is how far a signature's timestamp may be off.
        `seen_events_max` events are remembered to leave out duplicates; a duplicate that comes while the handler is at
        the event waits up to `wait_s` seconds for it. Raises `InvalidSecret`, and ValueError for a window below one event.
        """
        self._intake = Intake(
            now_s=now_s,
            credentials=credentials,
            secrets=secrets,
            body_bytes_max=body_bytes_max,
            tolerance_s=tolerance_s,
        )
        self._handler = handler
        self._seen = SeenWindow(seen_events_max)
        self._wait_s = wait_s
        self._lock = Lock()
        self._in_flight: dict[bytes, Future[bool]] = {}

    @property
    def body_bytes_max(self) -> int:
        """The largest body that is accepted, in bytes; servers need not read on."""
        return self._intake.body_bytes_max

    def handle(self, method: str, headers: Headers, body: bytes) -> Response:
        """Answer one request. Never raises.

        200 accepted, or accepted before; 400 not a body of the contract; 401 credentials or signature; 405 not
        POST; 413 larger than `body_bytes_max`; 415 not JSON; 500 the handler raised (its error is logged); 503 the
        same event is still being handled.
        """
        try:
            arrival = self._intake.admit(method, headers, body)
        except Refusal as refusal:
            return refused(refusal)
        mine: Future[bool] = Future()
        with self._lock:
            if self._seen.holds(arrival.digest):
                return _DUPLICATE.response
            running = self._in_flight.get(arrival.digest)
            if running is None:
                self._in_flight[arrival.digest] = mine
        if running is not None:
            return self._outcome_of(running)
        accepted = False
        try:
            self._handler(arrival.event)
            accepted = True
        except Exception:
            log.exception("The handler failed on an event of %r.", arrival.event.trigger)
        finally:
            with self._lock:
                if accepted:
                    self._seen.remember(arrival.digest)
                del self._in_flight[arrival.digest]
            mine.set_result(accepted)
        return (_ACCEPTED if accepted else _FAILED).response

    def _outcome_of(self, running: "Future[bool]") -> Response:
        try:
            return (_DUPLICATE if running.result(self._wait_s) else _FAILED).response
        except TimeoutError:
            return _IN_PROGRESS.response


class AsyncReceiver:
    """The endpoint of a webhook, for code that runs on an event loop: a sink, a dedupe store, a time budget."""

    def __init__(
        self,
        *,
        sink: Sink,
        dedupe: Dedupe,
        now_s: Callable[[], float] = time.time,
        credentials: Sequence[tuple[str, str]] = (),
        secrets: Sequence[str] = (),
        body_bytes_max: int = BODY_BYTES_MAX,
        tolerance_s: float = TIMESTAMP_TOLERANCE_S,
        budget_s: float = SINK_BUDGET_S,
        in_flight_max: int = IN_FLIGHT_MAX,
        observe: Observer | None = None,
        steady_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Configure what is accepted, as with `Receiver`, and where it goes.

        `budget_s` bounds what storing an event may take (seconds, all of it), `in_flight_max` how many events may be at
        it at once. `observe` is told the outcome of every request; what it raises is logged. `steady_s` measures
        durations. Open it before use, or use it as an async context manager. Raises `InvalidSecret`.
        """
        self._intake = Intake(
            now_s=now_s,
            credentials=credentials,
            secrets=secrets,
            body_bytes_max=body_bytes_max,
            tolerance_s=tolerance_s,
        )
        self.sink = sink
        self.dedupe = dedupe
        self.budget_s = budget_s
        self._in_flight_max = in_flight_max
        self._observe = observe
        self._steady_s = steady_s
        self._sleep = sleep
        self._in_flight: dict[bytes, asyncio.Future[_Verdict]] = {}
        self._stopping = False

    async def __aenter__(self) -> "AsyncReceiver":
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close."""
        await self.close()

    @property
    def body_bytes_max(self) -> int:
        """The largest body that is accepted, in bytes; servers need not read on."""
        return self._intake.body_bytes_max

    @property
    def in_flight(self) -> int:
        """How many events are on their way to the sink."""
        return len(self._in_flight)

    async def open(self) -> None:
        """Connect the dedupe store, then the sink. Raises what they raise, with nothing left open."""
        self._stopping = False
        await self.dedupe.open()
        try:
            await self.sink.open()
        except BaseException:
            await self.dedupe.close()
            raise

    async def close(self) -> None:
        """Refuse new events with 503, wait for those in flight (their budget bounds it), disconnect."""
        self._stopping = True
        running = list(self._in_flight.values())
        if running:
            await asyncio.wait(running, timeout=self.budget_s + 1)
        try:
            await self.sink.close()
        finally:
            await self.dedupe.close()

    async def handle(self, method: str, headers: Headers, body: bytes) -> Response:
        """Answer one request within the budget. Raises nothing but the cancellation of its own task.

        200 accepted, or accepted before; 400 not a body of the contract; 401 credentials or signature; 405 not POST;
        413 larger than `body_bytes_max`; 415 not JSON; 500 the sink raised (logged); 503 it is down, slow or overloaded.
        """
        started_s = self._steady_s()
        course = _Course()
        arrival: Arrival | None = None
        try:
            arrival = self._intake.admit(method, headers, body)
        except Refusal as refusal:
            verdict = _refusal(refusal)
        else:
            verdict = await self._deliver(arrival, course)
        if self._observe is not None:
            self._tell(self._observe, verdict, arrival, course, started_s, len(body))
        return verdict.response

    def refuse(self, refusal: Refusal, body_bytes: int = 0) -> Response:
        """The answer to a request that its adapter refuses without reading it whole; the observer is told."""
        verdict = _refusal(refusal)
        if self._observe is not None:
            course, started_s = _Course(), self._steady_s()
            self._tell(self._observe, verdict, None, course, started_s, body_bytes)
        return verdict.response

    async def _deliver(self, arrival: Arrival, course: "_Course") -> _Verdict:
        running = self._in_flight.get(arrival.digest)
        if running is not None:
            return await self._join(running)
        if self._stopping or len(self._in_flight) >= self._in_flight_max:
            return _STOPPING if self._stopping else _OVERLOADED
        future: asyncio.Future[_Verdict] = asyncio.get_running_loop().create_future()
        self._in_flight[arrival.digest] = future
        verdict = _FAILED
        try:
            verdict = await self._in_time(arrival, course)
        finally:
            # Whatever happened, those who wait for the same event learn of it, and the table stays bounded.
            del self._in_flight[arrival.digest]
            future.set_result(_DUPLICATE if verdict.response.status == 200 else verdict)
            if course.claimed and not course.accepted:
                self._release(arrival.digest)
        return verdict

    async def _join(self, running: "asyncio.Future[_Verdict]") -> _Verdict:
        done, _ = await asyncio.wait({running}, timeout=self.budget_s)
        return running.result() if done else _IN_PROGRESS

    async def _in_time(self, arrival: Arrival, course: "_Course") -> _Verdict:
        try:
            async with asyncio.timeout(self.budget_s):
                return await self._hand_over(arrival, course)
        except TimeoutError:
            # The sink has it: that the confirmation was too slow can at worst make a second copy.
            if course.accepted:
                course.confirmed = False
                return _ACCEPTED
            return _IN_PROGRESS if course.busy else _TIMED_OUT
        except SinkUnavailable as error:
            log.warning("The sink cannot take an event of %r: %s", arrival.event.trigger, error)
            return _DOWN
        except Exception:
            log.exception("The sink failed on an event of %r.", arrival.event.trigger)
            return _FAILED

    async def _hand_over(self, arrival: Arrival, course: "_Course") -> _Verdict:
        if await self._claim(arrival.digest, course) is Claim.SEEN:
            return _DUPLICATE
        begun_s = self._steady_s()
        try:
            new = await self.sink.put(arrival)
        finally:
            course.sink_s = self._steady_s() - begun_s
        course.accepted = True
        try:
            await self.dedupe.confirm(arrival.digest)
        except Exception:
            course.confirmed = False
            log.exception("An accepted event could not be recorded as seen.")
        return _ACCEPTED if new else _DUPLICATE

    async def _claim(self, digest: bytes, course: "_Course") -> Claim:
        known = self.dedupe.look(digest)
        if known is not None:
            course.claimed = known is Claim.FRESH
            return known
        while True:
            try:
                async with asyncio.timeout(DEDUPE_BUDGET_S):
                    claim = await self.dedupe.claim(digest)
            except Exception:
                course.confirmed = False
                log.exception("The dedupe store cannot be asked; the event is handed over anyway.")
                return Claim.FRESH
            course.busy = claim is Claim.BUSY
            course.claimed = claim is Claim.FRESH
            if claim is not Claim.BUSY:
                return claim
            await self._sleep(CLAIM_POLL_S)

    def _release(self, digest: bytes) -> None:
        try:
            self.dedupe.release(digest)
        except Exception:
            log.exception("A claim could not be given back; it lapses by itself.")

    def _tell(
        self,
        observe: Observer,
        verdict: _Verdict,
        arrival: Arrival | None,
        course: "_Course",
        started_s: float,
        body_bytes: int,
    ) -> None:
        outcome = Outcome(
            status=verdict.response.status,
            result=verdict.result,
            code=verdict.code,
            arrival=arrival,
            duration_s=self._steady_s() - started_s,
            sink_s=course.sink_s,
            body_bytes=body_bytes,
            confirmed=course.confirmed,
        )
        try:
            observe(outcome)
        except Exception:
            log.exception("The observer of a request failed.")


class _Course:
    """How far one event has come."""

    __slots__ = ("accepted", "busy", "claimed", "confirmed", "sink_s")

    def __init__(self) -> None:
        self.claimed = False
        self.busy = False
        self.accepted = False
        self.confirmed = True
        self.sink_s: float | None = None
