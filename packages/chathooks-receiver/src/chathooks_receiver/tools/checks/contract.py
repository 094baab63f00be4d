"""What a check is, what it finds, and what it may use."""

import random
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from chathooks_events.signing import SigningKey, signature_header
from chathooks_receiver.testing import Data, SignedRequest, event_id_at
from chathooks_receiver.tools.connection import ANSWER_TIMEOUT_S, Connection
from chathooks_receiver.tools.identity import Identity
from chathooks_receiver.tools.sender import Result, Sender, request_bytes
from chathooks_receiver.tools.target import Target

Severity: TypeAlias = Literal["critical", "major", "minor"]
State: TypeAlias = Literal["passed", "failed", "skipped"]

SETTING_UP = "Setting Up Your Webhook Endpoint"
SECURING = "Securing Your Webhook"
RETRIES = "Best practice 1: Handle Retries Gracefully"
QUICKLY = "Best practice 2: Respond Quickly"
ERRORS = "Best practice 4: Implement Robust Error Handling"
TESTING = "Best practice 5: Thoroughly Test Before Production"
"""Sections of CometChat's webhooks overview that checks stand for."""

REFUSED_STATUSES = (401, 403)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: its state, and one plain sentence of evidence."""

    state: State
    detail: str


def passed(detail: str) -> Finding:
    """All is well."""
    return Finding("passed", detail)


def failed(detail: str) -> Finding:
    """Something is not."""
    return Finding("failed", detail)


def skipped(detail: str) -> Finding:
    """The check does not apply, for this reason."""
    return Finding("skipped", detail)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the checks may ask of the endpoint. Seconds, counts and bytes."""

    timeout_s: float = ANSWER_TIMEOUT_S
    load_requests: int = 200
    load_connections: int = 16
    slow_connections: int = 20
    huge_body_bytes: int = 8 * 1024 * 1024
    local: bool = False
    """The endpoint is being developed on this machine: https and a public address are not asked for."""


class Probe:
    """What checks send with. Each request counts."""

    def __init__(
        self,
        target: Target,
        identity: Identity,
        limits: Limits,
        *,
        wall_s: Callable[[], float] = time.time,
        seed: int | None = None,
    ) -> None:
        """`identity` is what the endpoint accepts; `seed` makes ids reproducible, random where None."""
        self.target = target
        self.identity = identity
        self.limits = limits
        self.requests = 0
        self.wall_s = wall_s
        self._random = random.Random(secrets.randbits(64) if seed is None else seed)  # noqa: S311 - ids only
        self._sender = Sender(target, timeout_s=limits.timeout_s)
        self._number = 0

    def request(
        self,
        trigger: str = "message_sent",
        data: Data = None,
        *,
        identity: Identity | None = None,
        event_id: str | None = None,
        attempt: int = 1,
        sequence: int | None = None,
        age_s: float = 0.0,
        headers: Mapping[str, str] | None = None,
    ) -> SignedRequest:
        """A valid delivery, unless told otherwise; signed `age_s` seconds ago."""
        now_s = self.wall_s()
        self._number += 1
        return (identity or self.identity).request(
            trigger,
            data,
            event_id=event_id or event_id_at(now_s, self._random),
            now_s=now_s - age_s,
            attempt=attempt,
            number=self._number,
            sequence=sequence,
            headers=headers,
        )

    async def deliver(self, request: SignedRequest | None = None) -> Result:
        """Send a delivery over a kept connection, a valid one where not given."""
        self.requests += 1
        return await self._sender.deliver(request or self.request())

    async def send(
        self,
        request: SignedRequest,
        *,
        method: str | None = None,
        version: str = "1.1",
        headers: Mapping[str, str] | None = None,
        name_case: Callable[[str], str] = str,
        timeout_s: float | None = None,
    ) -> Result:
        """Send a request over a connection of its own, its header names as `name_case` writes them."""
        self.requests += 1
        sender = Sender(self.target, timeout_s=timeout_s or self.limits.timeout_s)
        try:
            data = request_bytes(
                self.target,
                request,
                method=method,
                version=version,
                headers=headers,
                name_case=name_case,
            )
            return await sender.send(data)
        finally:
            await sender.close()

    async def open(self) -> Connection:
        """A new connection, which the check closes. Raises ConnectionFailed."""
        return await Connection.open(self.target, self.limits.timeout_s)

    def with_body(self, request: SignedRequest, body: bytes) -> SignedRequest:
        """The request with another body under the same headers: the signature does not fit any more."""
        return SignedRequest(
            method=request.method, headers=request.headers, body=body, event_id=request.event_id
        )

    def signed_body(self, body: bytes) -> SignedRequest:
        """A request with any body at all, signed and authorised as a delivery is."""
        plain = self.request()
        if self.identity.secret is None or plain.event_id is None:
            return self.with_body(plain, body)
        at_s = int(self.wall_s())
        key = SigningKey.parse(self.identity.secret)
        fields = {
            **plain.headers,
            "webhook-timestamp": str(at_s),
            "webhook-signature": signature_header([key], plain.event_id, at_s, body),
        }
        return SignedRequest(method="POST", headers=fields, body=body, event_id=plain.event_id)

    def stranger(self) -> Identity:
        """Somebody without credentials and secret."""
        return replace(self.identity, credentials=None, secret=None)

    async def close(self) -> None:
        """Close the kept connections."""
        await self._sender.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that an endpoint must or should do."""

    id: str
    title: str
    """What is expected of the endpoint, as a sentence without its subject."""
    section: str
    """Which part of the overview asks for it."""
    severity: Severity
    advice: str
    """How to fix what it finds."""
    run: Callable[[Probe], Coroutine[Any, Any, Finding]]
    requires: tuple[str, ...] = ("accepts-delivery",)
    """Ids of checks that must have passed, else it is skipped."""


def said(result: Result) -> str:
    """A result in a few words: "answered 200 in 12 ms"."""
    return f"{result.explanation} after {result.duration_s * 1000:.0f} ms"


def client_error(result: Result) -> bool:
    """Whether the answer is a 4xx."""
    return result.status is not None and 400 <= result.status < 500
