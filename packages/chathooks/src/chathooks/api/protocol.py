"""The HTTP/1.1 protocol with bounds: head size, time to send a request, bytes thrown away, connections.

uvicorn bounds none of these for its httptools protocol; a server that faces clients must. What a client can
make the server keep for one connection: HEAD_BYTES_MAX of head, the read-ahead of one body, one timer reading.

    idle --first byte--> head --complete--> body --complete--> idle
      every arrow but the last starts a deadline that `expire` (called by the server's sweep) enforces
"""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from chathooks.api import problems
from chathooks.kernel.errors import ChathooksError

HEAD_BYTES_MAX = 32 * 1024
"""Request line and headers together."""
HEAD_TIMEOUT_S = 30.0
"""From the first byte of a request, or from the connection, to the end of its headers."""
BODY_TIMEOUT_S = 30.0
"""From the end of the headers to the end of the body, plus the time that BODY_BYTES_PER_S_MIN allows."""
BODY_BYTES_PER_S_MIN = 16 * 1024
"""Slower bodies than this run into the time-out."""
DISCARDED_BYTES_MAX = 4 * 1024 * 1024
"""Body bytes read after the answer, so that the client gets to see it, before the connection is closed."""
WRITE_TIMEOUT_S = 60.0
"""How long a client may leave an answer unread once the buffers are full."""
LINGER_S = 2.0
"""How long a refused connection stays half open, so that the client gets to see why."""
PIPELINED_MAX = 16
"""Requests that may wait on a connection for the answers of those before them."""
WHOLE_ANSWER = "chathooks.whole_answer"
"""Extension in the ASGI scope: a `WholeAnswer`."""
HEADER_OVERHEAD_BYTES = 4
"""Of each header line: colon, space, line end."""

WholeAnswer = Callable[[Any, int, list[tuple[bytes, bytes]], bytes], bool]
"""Answers the request of an ASGI scope with status, headers (`content-length` among them) and body in one write.

False: more requests wait behind it, or the client does not keep up; the answer has to be sent as ASGI has it. As that
takes two messages, uvicorn makes two writes of it, and the system two packets.
"""

_TOO_LARGE = ChathooksError(
    "ERR_HEADERS_TOO_LARGE",
    f"The request line and headers are larger than {HEAD_BYTES_MAX} bytes; send less.",
)
_MALFORMED = ChathooksError("ERR_BAD_REQUEST", "This is not a valid HTTP/1.1 request.")
_TOO_SLOW = ChathooksError(
    "ERR_REQUEST_TIMEOUT", "The request was not complete in time; send it again."
)
_PIPELINED = ChathooksError(
    "ERR_BAD_REQUEST",
    f"More than {PIPELINED_MAX} requests wait on this connection; send the next when one is answered.",
)
TOO_MANY = ChathooksError(
    "ERR_TOO_MANY_CONNECTIONS", "The server has too many connections; try again in a moment."
)


class _CycleTransport:
    """What a request's cycle sees of the transport: closing it goes through the protocol."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: Any, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class EdgeProtocol(HttpToolsProtocol):
    """One connection."""

    connections_max = 10_000

    _deadline = 0.0
    """Loop time when the request must have come further; 0 while none is being received."""
    _write_deadline = 0.0
    """Loop time when the client must have read on; 0 while it keeps up."""
    _in_head = False
    _in_body = False
    _refused = False
    _head_bytes = 0
    _pending_bytes = 0
    """Raw bytes of the head that is being received; too few by the part of its first chunk that belongs to
    the request before it."""
    _fresh_bytes = 0
    """Size of the chunk that is being parsed if it began between two requests."""
    _discarded_bytes = 0
    _cycle_transport: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline = self.loop.time() + HEAD_TIMEOUT_S
        self._cycle_transport = _CycleTransport(transport, self._finish)
        if len(self.connections) > self.connections_max:
            self._refuse(TOO_MANY)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._fresh_bytes = 0
        if self._in_head:
            self._pending_bytes += len(data)
        elif self._in_body:
            self._deadline += len(data) / BODY_BYTES_PER_S_MIN
            if self.cycle.response_complete:
                self._discarded_bytes += len(data)
                if self._discarded_bytes > DISCARDED_BYTES_MAX:
                    self.transport.close()
                    return
        else:
            self._fresh_bytes = len(data)
            if not self._deadline:
                self._deadline = self.loop.time() + HEAD_TIMEOUT_S
        super().data_received(data)
        if self._in_head and self._pending_bytes > HEAD_BYTES_MAX and not self._refused:
            self._refuse(_TOO_LARGE)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_deadline = self.loop.time() + WRITE_TIMEOUT_S

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write_deadline = 0.0

    # -- parser callbacks --------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        self._pending_bytes, self._fresh_bytes = self._fresh_bytes, 0
        self._deadline = self.loop.time() + HEAD_TIMEOUT_S

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value) + HEADER_OVERHEAD_BYTES)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._in_body = True
        self._discarded_bytes = 0
        self._deadline = self.loop.time() + BODY_TIMEOUT_S
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            cycle = self.cycle
            cycle.transport = self._cycle_transport
            if cycle.scope["method"] != "HEAD":
                extensions: Any = {WHOLE_ANSWER: self._answer}
                cycle.scope["extensions"] = extensions
        if len(self.pipeline) > PIPELINED_MAX:
            # Ends the parsing of the chunk, which may hold thousands more.
            raise _PIPELINED

    def _answer(
        self, scope: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> bool:
        """See `WholeAnswer`. Does for a whole answer what uvicorn's cycle does for its two parts."""
        cycle: Any = self.cycle
        if cycle.scope is not scope or cycle.response_started or self.flow.write_paused:
            return False
        if cycle.disconnected:
            return True
        content = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            content += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            content.append(b"connection: close\r\n")
        content += (b"\r\n", body)
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"".join(content))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline and not self.transport.is_closing():
            # uvicorn reads on after each answer; what waits already has to be answered first.
            self.flow.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.pipeline.clear()
        super().connection_lost(exc)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._deadline = 0.0
        super().on_message_complete()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX:
            # Ends the parsing; the answer follows in send_400_response.
            raise _TOO_LARGE

    # -- refusals ----------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed (called by uvicorn)."""
        if len(self.pipeline) > PIPELINED_MAX:
            self._refuse(_PIPELINED)
        else:
            self._refuse(_TOO_LARGE if self._head_bytes > HEAD_BYTES_MAX else _MALFORMED)

    def expire(self, now: float) -> None:
        """End the connection if its deadline has passed; `now` is the loop's time in seconds."""
        if self._write_deadline and now >= self._write_deadline:
            self.transport.abort()
            return
        if not self._deadline or now < self._deadline:
            return
        received_some = self._in_head or (self._in_body and not self.cycle.response_started)
        if self._refused or not received_some:
            self.transport.close()
        else:
            self._refuse(_TOO_SLOW)

    def _refuse(self, error: ChathooksError) -> None:
        """Answer with `error` outside the application, then close once the client could read it."""
        if self.transport.is_closing():
            return
        self._refused = True
        self.pipeline.clear()
        self._unset_keepalive_if_required()
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        body = problems.envelope(error)
        content = [STATUS_LINE[problems.STATUS_BY_CODE[error.code]]]
        for name, value in self.server_state.default_headers:
            content += [name, b": ", value, b"\r\n"]
        content.append(b"content-type: application/json\r\nconnection: close\r\n")
        content.append(b"content-length: %d\r\n\r\n" % len(body))
        content.append(body)
        self.transport.write(b"".join(content))
        self._linger()

    def _finish(self) -> None:
        """Close after an answer; not before the client could read it, if it is still sending."""
        if self._in_body and not self.transport.is_closing():
            self._refused = True
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        # Closing with unread input would reset the connection and may destroy the answer on its way.
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._deadline = self.loop.time() + LINGER_S
        else:
            self.transport.close()
