"""The demo's client of the public REST API."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
import urllib3

from chathooks.kernel.errors import ChathooksError

CALL_TIMEOUT_S = 10.0
CONNECTIONS_MAX = 4


class Attempt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One attempt in the delivery log; `started_at` in unix ms."""

    number: int
    started_at: int
    duration_ms: float
    status: int | None = None
    failure: str | None = None
    body: str = ""
    explanation: str = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One delivery in the delivery log; times in unix ms."""

    id: str
    event_id: str
    trigger: str
    webhook: str
    state: str
    number: int
    created_at: int
    next_attempt_at: int | None = None
    attempts: Sequence[Attempt] = ()

    @property
    def settled(self) -> bool:
        """Nothing more happens to it by itself."""
        return self.state not in ("pending", "in_flight", "retrying")

    @property
    def changed_at(self) -> int:
        """When something last happened, in unix ms."""
        return self.attempts[-1].started_at if self.attempts else self.created_at


class _Error(msgspec.Struct):
    code: str = "ERR_DEMO_CALL"
    message: str = "The server's answer is not of the documented shape."


class _Answer(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")
    meta: dict[str, Any] = {}
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Answer).decode
_deliveries = msgspec.json.Decoder(list[Delivery]).decode
_delivery = msgspec.json.Decoder(Delivery).decode


class Api:
    """Calls below `/v3` with a fullAccess key; each runs in a thread and takes at most `CALL_TIMEOUT_S`."""

    def __init__(self, url: str, api_key: str) -> None:
        """`url` is the server's, without a path."""
        self._pool = urllib3.connection_from_url(
            url,
            maxsize=CONNECTIONS_MAX,
            block=True,
            timeout=CALL_TIMEOUT_S,
            retries=False,
            headers={"apikey": api_key},
        )

    def close(self) -> None:
        """Close kept connections."""
        self._pool.close()

    async def call(
        self, method: str, path: str, body: object = None, *, on_behalf_of: str | None = None
    ) -> Any:
        """Answer the call's `data`. Raises ChathooksError, with the server's code where it refused."""
        answer = await asyncio.to_thread(self._send, method, path, body, on_behalf_of)
        return msgspec.json.decode(answer.data)

    async def deliveries(
        self, webhook: str, *, limit: int, cursor: str | None = None
    ) -> tuple[list[Delivery], str | None]:
        """A page of a webhook's log, newest first, and the cursor of the next. Raises ChathooksError."""
        query = urlencode({"limit": limit, **({"cursor": cursor} if cursor else {})})
        path = f"/webhooks/{webhook}/deliveries?{query}"
        answer = await asyncio.to_thread(self._send, "GET", path, None, None)
        following: Mapping[str, str] = answer.meta.get("next") or {}
        return _deliveries(answer.data), following.get("cursor")

    async def delivery(self, delivery_id: str) -> Delivery:
        """One delivery. Raises ChathooksError."""
        answer = await asyncio.to_thread(
            self._send, "GET", f"/deliveries/{delivery_id}", None, None
        )
        return _delivery(answer.data)

    def _send(self, method: str, path: str, body: object, on_behalf_of: str | None) -> _Answer:
        headers = dict(self._pool.headers)
        if on_behalf_of is not None:
            headers["onBehalfOf"] = on_behalf_of
        content = None
        if body is not None:
            content = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        try:
            response = self._pool.urlopen(method, f"/v3{path}", body=content, headers=headers)
            answer = _decode(response.data)
        except urllib3.exceptions.HTTPError as error:
            raise ChathooksError(
                "ERR_DEMO_CALL", f"The demo's call {method} {path} got no answer: {error}."
            ) from None
        except msgspec.MsgspecError:
            answer = _Answer(error=_Error())
        if answer.error is not None:
            raise ChathooksError(
                answer.error.code, f"The demo's call {method} {path} failed: {answer.error.message}"
            )
        return answer
