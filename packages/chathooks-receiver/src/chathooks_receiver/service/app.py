"""The service as an ASGI application: the endpoint, `/metrics`, `/healthz`, `/readyz`.

It opens what it needs with the lifespan protocol, in this order: request log, receiver (dedupe store, then sink), worker;
and closes them the other way round, so that every request that was accepted is finished and logged.
"""

import contextlib
import ipaddress
import logging
import time
from collections.abc import Callable
from contextvars import ContextVar

import msgspec

from chathooks_receiver.adapters.asgi import Receive, Scope, Send, serve_request
from chathooks_receiver.queue import QueueUnavailable
from chathooks_receiver.receiver import AsyncReceiver, Outcome
from chathooks_receiver.service.build import load_workflows, make_dedupe, make_sink
from chathooks_receiver.service.metrics import Metrics
from chathooks_receiver.service.request_log import Entry, RequestLog
from chathooks_receiver.service.settings import Settings, WorkflowSettings
from chathooks_receiver.sinks import Sink
from chathooks_receiver.sinks.spool import SpoolSink
from chathooks_receiver.workflows import RetryPolicy, Worker

log = logging.getLogger(__name__)

NUMBER_DIGITS_MAX = 18

_request: ContextVar[tuple[str | None, str, str]] = ContextVar("request")


class StartFailed(Exception):
    """A part of the service cannot start; the message says which and why."""

    code = "ERR_START"


class Service:
    """The application. Call `open` and `close` where no server speaks the lifespan protocol."""

    def __init__(self, settings: Settings, now_s: Callable[[], float] = time.time) -> None:
        """Make the parts, open none. Raises `SettingsError` and `InvalidSecret`."""
        self._settings = settings
        self._now_s = now_s
        self.metrics = Metrics()
        self.error: Exception | None = None
        """Why the service could not start."""
        self._log = None
        if settings.request_log is not None:
            self._log = RequestLog(settings.request_log.path, settings.request_log.rows_max)
        sink = make_sink(settings.sink)
        self._worker = self._make_worker(settings.workflows, sink)
        self._spool = None
        if settings.spool is not None:
            sink = self._spool = SpoolSink(
                sink, settings.spool.path, events_max=settings.spool.events_max, now_s=now_s
            )
        endpoint = settings.endpoint
        self.receiver = AsyncReceiver(
            sink=sink,
            dedupe=make_dedupe(settings.dedupe),
            now_s=now_s,
            credentials=[(item.username, item.password) for item in endpoint.credentials],
            secrets=endpoint.secrets,
            body_bytes_max=endpoint.body_bytes_max,
            tolerance_s=endpoint.tolerance_s,
            budget_s=endpoint.budget_s,
            in_flight_max=endpoint.in_flight_max,
            observe=self._observe,
        )
        self._stack = contextlib.AsyncExitStack()
        self._ready = False
        self._jobs_waiting = 0
        self._add_gauges()

    def _make_worker(self, settings: WorkflowSettings | None, sink: Sink) -> Worker | None:
        if settings is None:
            return None
        workflows = load_workflows(settings.load)
        policy = RetryPolicy(attempts=settings.attempts)
        worker = Worker(
            sink,  # type: ignore[arg-type]  # the settings allow inboxes alone, which are queues
            workflows,
            policy=policy,
            concurrency=settings.concurrency,
            now_s=self._now_s,
        )
        sink.on_work = worker.wake  # type: ignore[attr-defined]  # likewise
        return worker

    def _add_gauges(self) -> None:
        gauge = self.metrics.gauge
        gauge("in_flight", "Events on their way to the sink.", lambda: self.receiver.in_flight)
        spool = self._spool
        if spool is not None:
            gauge("spool_events", "Events that wait in the spool.", lambda: spool.depth)
            meaning = "For how long the oldest event of the spool waits."
            gauge("spool_oldest_seconds", meaning, spool.oldest_age_s)
        requests = self._log
        if requests is not None:
            meaning = "Entries that the request log could not take."
            gauge("request_log_left_out", meaning, lambda: requests.left_out)
        worker = self._worker
        if worker is not None:
            self.add_worker_gauges(
                lambda: worker.handled, lambda: worker.failed, lambda: worker.buried
            )

    def add_worker_gauges(
        self,
        handled: Callable[[], float],
        failed: Callable[[], float],
        dead: Callable[[], float],
    ) -> None:
        """What is told of workflows."""
        gauge = self.metrics.gauge
        gauge("jobs_waiting", "Jobs of workflows that wait or run.", lambda: self._jobs_waiting)
        gauge("jobs_handled", "Jobs that went through.", handled)
        gauge("jobs_failed", "Attempts of jobs that failed.", failed)
        gauge("jobs_dead", "Jobs that were set aside.", dead)

    async def open(self) -> None:
        """Open everything. Raises `StartFailed`, with nothing left open."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                if self._log is not None:
                    await self._log.open()
                    stack.push_async_callback(self._log.close)
                await stack.enter_async_context(self.receiver)
                if self._worker is not None:
                    await stack.enter_async_context(self._worker)
            except Exception as error:
                raise StartFailed(f"The service cannot start: {error}") from error
            self._stack = stack.pop_all()
        self._ready = True

    async def close(self) -> None:
        """Answer 503 from now on, finish what is in flight, close everything."""
        self._ready = False
        await self._stack.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or the lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.open()
        except StartFailed as error:
            self.error = error
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == self._settings.endpoint.path:
            client = scope.get("client")
            _request.set((client[0] if client else None, scope["method"], path))
            await serve_request(self.receiver, scope, receive, send)
        elif path == "/healthz":
            await _answer(send, 200, {"status": "alive"})
        elif path == "/readyz":
            await _answer(send, *self._readiness())
        elif path == "/metrics" and self._may_see_metrics(scope):
            await self._count_jobs()
            await _text(send, 200, self.metrics.page(), "text/plain; version=0.0.4; charset=utf-8")
        else:
            error = {"code": "ERR_PATH", "message": "There is nothing at this path."}
            await _answer(send, 404, {"error": error})

    def _readiness(self) -> tuple[int, dict[str, str]]:
        if not self._ready:
            return 503, {"status": "not ready"}
        return 200, {"status": "ready"}

    def _may_see_metrics(self, scope: Scope) -> bool:
        if self._settings.endpoint.metrics_to_all:
            return True
        client = scope.get("client")
        try:
            return client is not None and ipaddress.ip_address(client[0]).is_loopback
        except ValueError:
            return False

    async def _count_jobs(self) -> None:
        if self._worker is not None:
            try:
                self._jobs_waiting = await self._worker.waiting()
            except QueueUnavailable as error:
                log.warning("The queue cannot be read: %s", error)

    def _observe(self, outcome: Outcome) -> None:
        self.metrics.observe(outcome)
        if outcome.result == "refused":
            log.info("Request refused: %s", outcome.code)
        if self._log is None:
            return
        remote, method, path = _request.get((None, "", ""))
        arrival = outcome.arrival
        headers = arrival.headers if arrival is not None else {}
        sink_ms = None if outcome.sink_s is None else round(outcome.sink_s * 1000, 3)
        self._log.add(
            Entry(
                at_ms=int(self._now_s() * 1000),
                remote=remote,
                method=method,
                path=path,
                status=outcome.status,
                result=outcome.result,
                code=outcome.code,
                trigger=arrival.event.trigger if arrival is not None else None,
                key=arrival.key if arrival is not None else None,
                stream=arrival.stream if arrival is not None else None,
                attempt=_number(headers.get("chathooks-attempt")),
                number=_number(headers.get("chathooks-number")),
                body_bytes=outcome.body_bytes,
                duration_ms=round(outcome.duration_s * 1000, 3),
                sink_ms=sink_ms,
            )
        )


def _number(text: str | None) -> int | None:
    usable = text is not None and text.isdecimal() and len(text) <= NUMBER_DIGITS_MAX
    return int(text) if usable and text is not None else None


async def _answer(send: Send, status: int, content: object) -> None:
    await _text(send, status, msgspec.json.encode(content), "application/json")


async def _text(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
