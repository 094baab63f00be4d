"""The one way out: a `CurlMulti` driven from the event loop, behind the guard.

A request costs no task and no future: `send` takes a callback. The clock of an attempt starts in `send` and covers
name resolution, connect, TLS and the arrival of the response headers; what the body does afterwards changes
nothing (delivery contract §2, §7 "After 2xx headers in time").

Crash behaviour: nothing is kept here. Whoever calls decides what an exchange without an answer means; `close`
answers what is still under way with `FailureKind.interrupted`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import pycurl

from chathooks.egress.classification import (
    closed_unanswered,
    exchange_of,
    failed_exchange,
    http_version,
)
from chathooks.egress.exchange import Exchange
from chathooks.egress.failures import EgressClosed, FailureKind
from chathooks.egress.guard import Target, TargetPolicy, judge_address
from chathooks.egress.pins import Pin
from chathooks.egress.poller import Poller, make_poller
from chathooks.egress.resolver import Answer, Resolver
from chathooks.egress.transfer import Done, Transfer
from chathooks.egress.trust import TrustStore

ATTEMPT_TIMEOUT_S = 2.0
IDLE_HANDLES_MAX = 512
EXPECT_CONTINUE_BODY_BYTES_MIN = 1024 * 1024
PINS_MAX = 20_000
# libcurl looks at a connection's age only while it is idle, so a busy HTTP/2 connection would live for ever.
# Requests of one epoch use connections of that epoch only; what the one before left is too long idle when its
# turn comes again. With the longest request this stays below the two minutes of the delivery contract, §7.
EPOCH_S = 115.0
TIMER_MS_MAX = 250
"""The timer that calls libcurl fires at least so often while anything is under way."""
MS_PER_S = 1000.0

# Read for every request: a module's own names are the cheapest to look up.
_now_s = time.perf_counter
_RESPONSE_CODE = pycurl.RESPONSE_CODE
_STARTTRANSFER_TIME = pycurl.STARTTRANSFER_TIME


class Cancel:
    """Withdraws a request; its callback is then never called. Harmless once it has been."""

    __slots__ = ("_client", "_generation", "_transfer")

    def __init__(self, client: "EgressClient", transfer: Transfer) -> None:
        self._client = client
        self._transfer = transfer
        self._generation = transfer.generation

    def cancel(self) -> None:
        """Withdraw the request. Must not be called from another thread."""
        if self._transfer.generation == self._generation:
            self._client._drop(self._transfer)


class EgressClient:
    """Sends POST requests to judged targets.

    Args:
        policy: what may be connected to.
        resolver: resolves host names; closed by whoever made it.
        user_agent: value of `User-Agent`.
        ca_file: PEM file of authorities to trust besides the system's, or None.
        connections_max: connections open at once; requests beyond wait for one, on their own clock.

    Raises:
        TrustFileError: `ca_file` cannot be used.
    """

    def __init__(
        self,
        policy: TargetPolicy,
        *,
        resolver: Resolver,
        user_agent: str,
        ca_file: str | None = None,
        connections_max: int = 1024,
    ) -> None:
        self.policy = policy
        self.user_agent = user_agent
        self._trust = TrustStore(ca_file)
        self.ca_path = self._trust.path
        self._resolver = resolver
        self._connections_max = connections_max
        self._loop: asyncio.AbstractEventLoop
        self._poller: Poller
        self._multi = pycurl.CurlMulti()
        self._started = False
        self._closed = False
        self._running: dict[pycurl.Curl, Transfer] = {}
        self._resolving: set[Transfer] = set()
        self._idle: list[Transfer] = []
        self._pins: dict[str, Pin] = {}
        self._unpin: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_s = 0.0
        self._kicked = False
        self._closing = False
        self._taking = False
        self._resolver_now_s = resolver.now_s
        self._drained: asyncio.Event | None = None
        self.connections_opened = 0
        """Sockets opened to connect; those the guard refused are not among them."""

    @property
    def in_flight(self) -> int:
        """Requests not yet answered."""
        return len(self._running) + len(self._resolving)

    def socket_opening(self) -> None:
        """Told by a transfer that libcurl is about to open a socket."""
        self._poller.distrust()

    async def start(self) -> None:
        """Bind to the running event loop. Raises RuntimeError when started twice."""
        if self._started or self._closing:
            raise RuntimeError("an egress client is started once")
        self._started = self._taking = True
        self._loop = asyncio.get_running_loop()
        self._poller = make_poller(self._loop, self._multi.socket_action, self._settle)
        multi = self._multi
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._poller.want)
        multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, self._connections_max)
        multi.setopt(pycurl.M_MAXCONNECTS, self._connections_max)

    async def close(self, grace_s: float) -> None:
        """Take nothing more, wait up to `grace_s` for what is under way, then interrupt the rest."""
        if self._closing:
            return
        self._closing = True
        self._taking = False
        if self.in_flight and grace_s > 0:
            self._drained = asyncio.Event()
            try:
                await asyncio.wait_for(self._drained.wait(), grace_s)
            except TimeoutError:
                pass  # the rest is interrupted below
        left = [*self._running.values(), *self._resolving]
        for transfer in left:
            done, started_s = transfer.done, transfer.started_s
            self._drop(transfer)
            self._tell(
                done,
                failed_exchange(
                    FailureKind.interrupted,
                    "the server stopped while the attempt was under way",
                    (time.perf_counter() - started_s) * MS_PER_S,
                ),
            )
        if self._timer is not None:
            self._timer.cancel()
        for transfer in self._idle:
            transfer.easy.close()
        self._idle.clear()
        self._closed = True
        self._multi.close()
        if self._started:
            self._poller.close()
        self._trust.close()

    def send(
        self,
        target: Target,
        headers: Sequence[str | bytes],
        body: bytes,
        *,
        timeout_s: float = ATTEMPT_TIMEOUT_S,
        done: Done,
    ) -> Cancel:
        """As `post`; answers with what withdraws the request."""
        return Cancel(self, self.post(target, headers, body, timeout_s=timeout_s, done=done))

    def post(
        self,
        target: Target,
        headers: Sequence[str | bytes],
        body: bytes,
        *,
        timeout_s: float = ATTEMPT_TIMEOUT_S,
        done: Done,
    ) -> Transfer:
        """POST `body` with `headers` ("Name: value") to `target`.

        `done` gets the exchange, exactly once and never before this returns, unless it is cancelled. Headers must be
        ASCII without line breaks. What is answered is the client's own.

        Raises:
            EgressClosed: the client is not started, closing or closed.
        """
        if not self._taking:
            raise EgressClosed("the egress client takes no requests now")
        idle = self._idle
        transfer = idle.pop() if idle else Transfer(self)
        started_s = _now_s()
        transfer.active = True
        transfer.target = target
        transfer.done = done
        transfer.started_s = started_s
        transfer.timeout_s = timeout_s
        if len(body) >= EXPECT_CONTINUE_BODY_BYTES_MIN:
            headers = [*headers, "Expect:"]
        pin = self._pins.get(target.pin)
        if pin is not None and pin.usable_until_s > self._resolver_now_s():
            self._run(transfer, target, headers, body, int(timeout_s * MS_PER_S))
        else:
            self._find_address(transfer, target, headers, body)
        return transfer

    # --- names ------------------------------------------------------------------------------------

    def _find_address(
        self, transfer: Transfer, target: Target, headers: Sequence[str | bytes], body: bytes
    ) -> None:
        timeout_ms = int(transfer.timeout_s * MS_PER_S)
        if target.is_literal:
            refusal = judge_address(target.host, self.policy)
            if refusal is None:
                self._run(transfer, target, headers, body, timeout_ms)
            else:
                self._fail_soon(
                    transfer, FailureKind.address_refused, f"{target.host} is {refusal}"
                )
            return
        answer = self._resolver.cached(target.host)
        if answer is None:
            self._resolve(transfer, target, headers, body)
        elif self._pin(transfer, target, answer):
            self._run(transfer, target, headers, body, timeout_ms)

    def _resolve(
        self, transfer: Transfer, target: Target, headers: Sequence[str | bytes], body: bytes
    ) -> None:
        transfer.unusual = True
        transfer.request_headers = headers
        transfer.request_body = body
        self._resolving.add(transfer)
        generation = transfer.generation
        transfer.dns_timer = self._loop.call_later(
            transfer.timeout_s, self._on_lookup_late, transfer
        )
        transfer.withdraw = self._resolver.lookup(
            target.host,
            lambda answer: self._on_lookup(transfer, target, generation, answer),
        )

    def _on_lookup_late(self, transfer: Transfer) -> None:
        transfer.dns_timer = None
        transfer.dns_ms = (time.perf_counter() - transfer.started_s) * MS_PER_S
        self._fail(transfer, FailureKind.timeout_dns, "the name-server did not answer in time")

    def _on_lookup(
        self, transfer: Transfer, target: Target, generation: int, answer: Answer
    ) -> None:
        if transfer.generation != generation:
            return
        elapsed_s = time.perf_counter() - transfer.started_s
        transfer.dns_ms = elapsed_s * MS_PER_S
        left_ms = int((transfer.timeout_s - elapsed_s) * MS_PER_S)
        headers, body = transfer.request_headers, transfer.request_body
        if transfer.dns_timer is not None:
            transfer.dns_timer.cancel()
            transfer.dns_timer = None
        self._resolving.discard(transfer)
        if left_ms <= 0:
            self._fail_soon(transfer, FailureKind.timeout_dns, "resolving took all the time")
        elif self._pin(transfer, target, answer):
            self._run(transfer, target, headers, body, left_ms)

    def _pin(self, transfer: Transfer, target: Target, answer: Answer) -> bool:
        """Bind the origin to the allowed addresses of `answer`; False when the request has failed on it."""
        pin = self._pins.get(target.pin)
        if pin is None:
            pin = self._pins[target.pin] = Pin()
            if len(self._pins) > PINS_MAX:
                oldest = next(iter(self._pins))
                del self._pins[oldest]
                self._unpin.append(f"-{oldest}")
        if pin.answer is not answer:
            pin.judge(target, answer, self.policy)
        if answer.failure is not None:
            self._fail_soon(transfer, answer.failure, answer.detail)
            return False
        if not pin.entry:
            self._fail_soon(transfer, FailureKind.address_refused, pin.refusal)
            return False
        if pin.loaded != pin.entry:
            transfer.easy.setopt(pycurl.RESOLVE, [*self._unpin, pin.entry])
            self._unpin.clear()
            pin.loaded = pin.entry
            transfer.pins = target.pin
            transfer.unusual = True
        pin.usable_until_s = answer.expires_s
        return True

    # --- libcurl ----------------------------------------------------------------------------------

    def _run(
        self,
        transfer: Transfer,
        target: Target,
        headers: Sequence[str | bytes],
        body: bytes,
        timeout_ms: int,
    ) -> None:
        odd_epoch = (transfer.started_s + target.phase_s) % (EPOCH_S + EPOCH_S) >= EPOCH_S
        try:
            transfer.load(target.url, headers, body, max(1, timeout_ms), odd_epoch)
        except (UnicodeError, TypeError, pycurl.error) as exc:
            name = type(exc).__name__  # its text could hold a header
            self._fail_soon(transfer, FailureKind.internal, f"the request cannot be sent: {name}")
            return
        self._running[transfer.easy] = transfer
        self._multi.add_handle(transfer.easy)
        if not self._kicked:
            self._kick()

    def _kick(self) -> None:
        """Have libcurl look, in the next turn of the loop, at what was added and what has become due."""
        if not self._kicked and not self._closed:
            self._kicked = True
            self._loop.call_soon(self._on_kick)

    def _on_kick(self) -> None:
        self._kicked = False
        if not self._closed:
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._settle()

    def _settle(self) -> None:
        """Hand over what has ended, and plan when libcurl wants to be called next.

        libcurl would tell by its timer callback, several times per request; it is asked once for many instead.
        """
        self._reap()
        if self._closed or self._kicked:
            return
        left_ms = self._multi.timeout()
        if left_ms >= TIMER_MS_MAX:
            if self._timer is None:
                self._arm(TIMER_MS_MAX)
        elif left_ms > 0:
            self._arm(left_ms)
        elif left_ms == 0:
            self._kick()

    def _arm(self, timeout_ms: int) -> None:
        """Have libcurl called in `timeout_ms` or earlier."""
        due_s = self._loop.time() + timeout_ms / MS_PER_S
        if self._timer is not None:
            if self._timer_due_s <= due_s:
                return
            self._timer.cancel()
        self._timer_due_s = due_s
        self._timer = self._loop.call_at(due_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._on_kick()

    def _reap(self) -> None:
        """Hand over what has ended."""
        while not self._closed:
            queued, finished, failed = self._multi.info_read(64)
            for easy in finished:
                transfer = self._running.get(easy)
                if transfer is not None and (
                    transfer.unusual or not self._finish_plainly(transfer, easy)
                ):
                    self._finish(easy, 0, "")
            for easy, code, message in failed:
                self._finish(easy, code, message)
            if not queued:
                return

    def _finish_plainly(self, transfer: Transfer, easy: pycurl.Curl) -> bool:
        """Hand over a whole answer on a kept connection, the common case; False where it is not that."""
        block = transfer.plain_header_block()
        if not block:
            return False
        duration_ms = (_now_s() - transfer.started_s) * MS_PER_S
        getinfo = easy.getinfo
        exchange = Exchange(
            getinfo(_RESPONSE_CODE),
            "1.1" if block.startswith(b"HTTP/1.1") else http_version(block),
            block,
            transfer.body(),
            duration_ms,
            0.0,
            0.0,
            0.0,
            getinfo(_STARTTRANSFER_TIME) * MS_PER_S,
            duration_ms,
            transfer.remote_ip,
            True,
            transfer.sends > 1,
        )
        done = transfer.done
        del self._running[easy]
        self._multi.remove_handle(easy)
        transfer.forget()
        idle = self._idle
        if len(idle) < IDLE_HANDLES_MAX and self._taking:
            idle.append(transfer)
        else:
            easy.close()
        if self._drained is not None and not self.in_flight:
            self._drained.set()
        try:
            done(exchange)
        except Exception as exc:
            self._callback_failed(exc)
        return True

    def _finish(self, easy: pycurl.Curl, code: int, message: str) -> None:
        transfer = self._running.get(easy)
        if transfer is None:
            return
        if transfer.needs_fresh_connection or (code and closed_unanswered(transfer, code, message)):
            elapsed_s = time.perf_counter() - transfer.started_s
            left_ms = int((transfer.timeout_s - elapsed_s) * MS_PER_S)
            if left_ms > 0:
                self._multi.remove_handle(easy)
                transfer.make_anew(left_ms)
                self._multi.add_handle(easy)
                self._kick()
                return
        exchange = exchange_of(transfer, code, message)
        if transfer.local_fault and transfer.target is not None:
            self._pins.pop(transfer.target.pin, None)  # libcurl is told its addresses anew
        done = transfer.done
        self._release(transfer)
        self._tell(done, exchange)

    # --- ends -------------------------------------------------------------------------------------

    def _fail_soon(self, transfer: Transfer, kind: FailureKind, detail: str) -> None:
        self._resolving.add(transfer)
        transfer.unusual = True
        generation = transfer.generation
        self._loop.call_soon(
            lambda: (
                self._fail(transfer, kind, detail) if transfer.generation == generation else None
            )
        )

    def _fail(self, transfer: Transfer, kind: FailureKind, detail: str) -> None:
        exchange = failed_exchange(
            kind, detail, (time.perf_counter() - transfer.started_s) * MS_PER_S, transfer.dns_ms
        )
        done = transfer.done
        self._release(transfer)
        self._tell(done, exchange)

    def _drop(self, transfer: Transfer) -> None:
        if transfer.active:
            if transfer.pins:
                # It may not have told libcurl its addresses yet.
                pin = self._pins.get(transfer.pins)
                if pin is not None:
                    pin.forget_loaded()
            self._release(transfer)

    def _release(self, transfer: Transfer) -> None:
        if self._running.pop(transfer.easy, None) is not None:
            self._multi.remove_handle(transfer.easy)
        if transfer.unusual:
            self._resolving.discard(transfer)
            self.connections_opened += transfer.opens
        transfer.forget()
        if len(self._idle) < IDLE_HANDLES_MAX and not self._closing:
            self._idle.append(transfer)
        else:
            transfer.easy.close()
        if self._drained is not None and not self.in_flight:
            self._drained.set()

    def _tell(self, done: Callable[[Exchange], None], exchange: Exchange) -> None:
        try:
            done(exchange)
        except Exception as exc:
            self._callback_failed(exc)

    def _callback_failed(self, exc: Exception) -> None:
        # One caller's fault must not stop the others' answers.
        self._loop.call_exception_handler(
            {"message": "an egress callback failed", "exception": exc}
        )
