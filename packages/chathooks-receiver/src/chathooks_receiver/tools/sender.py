"""Send deliveries to an endpoint over kept connections, as the platform does: bounded, measured, never raising.

    sender = Sender(target)
    result = await sender.deliver(request)
    await sender.close()

A kept connection that closed before any answer is replaced once within the attempt (delivery contract §3.2).
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from chathooks_receiver.testing import SignedRequest
from chathooks_receiver.tools.connection import (
    ANSWER_TIMEOUT_S,
    Connection,
    ConnectionFailed,
    HttpAnswer,
)
from chathooks_receiver.tools.target import Target

IDLE_MAX = 256
"""Connections that are kept for later."""
IDLE_S = 30.0
EXCERPT_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt. Durations are in seconds."""

    status: int | None
    """None where no complete headers came."""
    failure: str | None
    """Class of the failure, in the words of the server's delivery log; None where an answer came."""
    explanation: str
    duration_s: float
    """To complete headers, or to the failure."""
    headers: Mapping[str, str]
    body: bytes
    version: str = ""
    whole: bool = True

    @property
    def acknowledged(self) -> bool:
        """Any 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def outcome(self) -> str:
        """The status as text, else the class of the failure."""
        return str(self.status) if self.status is not None else str(self.failure)

    @property
    def duplicate(self) -> bool:
        """Whether the endpoint says that it had the event before, as the receiver kit does."""
        if not self.acknowledged:
            return False
        try:
            return msgspec.json.decode(self.body, type=_Said).status == "duplicate"
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False

    @property
    def excerpt(self) -> str:
        """The beginning of the body, as text."""
        return self.body[:EXCERPT_CHARS_MAX].decode("utf-8", "replace")


class _Said(msgspec.Struct):
    status: str = ""


def request_bytes(
    target: Target,
    request: SignedRequest,
    *,
    method: str | None = None,
    version: str = "1.1",
    headers: Mapping[str, str] | None = None,
    name_case: Callable[[str], str] = str,
) -> bytes:
    """The request as it goes over the wire. `headers` are added last and win; `name_case` writes all names its way."""
    fields = {
        "Host": target.authority,
        "Accept": "*/*",
        **request.headers,
        "Content-Length": str(len(request.body)),
        **(headers or {}),
    }
    lines = [f"{method or request.method} {target.path} HTTP/{version}"]
    lines += [f"{name_case(name)}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + request.body


class Sender:
    """Delivers to one target; not for several event loops."""

    def __init__(self, target: Target, *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Nothing is opened yet."""
        self.target = target
        self._timeout_s = timeout_s
        self._idle: deque[tuple[float, Connection]] = deque()

    async def deliver(self, request: SignedRequest) -> Result:
        """One attempt. Raises nothing but the cancellation of its own task."""
        return await self.send(request_bytes(self.target, request))

    async def send(self, data: bytes) -> Result:
        """One attempt with the bytes of a whole request. Raises nothing but the cancellation of its own task."""
        started_s = time.perf_counter()
        try:
            answer = await self._exchange(data, started_s)
        except ConnectionFailed as error:
            return Result(
                None, error.kind, str(error), time.perf_counter() - started_s, headers={}, body=b""
            )
        return result_of(answer)

    async def _exchange(self, data: bytes, started_s: float) -> HttpAnswer:
        kept = await self._take()
        if kept is not None:
            try:
                return await self._over(kept, data, started_s)
            except ConnectionFailed as error:
                if error.kind != "connection_reset":
                    raise
        fresh = await Connection.open(self.target, self._timeout_s)
        return await self._over(fresh, data, started_s)

    async def _over(self, connection: Connection, data: bytes, started_s: float) -> HttpAnswer:
        reusable = False
        try:
            await connection.send(data)
            answer = await connection.answer(since_s=started_s, timeout_s=self._timeout_s)
            reusable = answer.kept and len(self._idle) < IDLE_MAX
        finally:
            if reusable:
                self._idle.append((time.perf_counter(), connection))
            else:
                connection.abort()
        return answer

    async def _take(self) -> Connection | None:
        while self._idle:
            since_s, connection = self._idle.pop()
            if time.perf_counter() - since_s < IDLE_S and not connection.broken:
                return connection
            connection.abort()
        return None

    async def close(self) -> None:
        """Close the kept connections."""
        while self._idle:
            await self._idle.pop()[1].close()


def result_of(answer: HttpAnswer) -> Result:
    """An answer as a result."""
    return Result(
        answer.status,
        None,
        f"answered {answer.status}",
        answer.first_byte_s,
        headers=answer.headers,
        body=answer.body,
        version=answer.version,
        whole=answer.whole,
    )
