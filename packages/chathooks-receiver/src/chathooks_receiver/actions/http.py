"""Call another system over HTTP."""

import asyncio
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

import msgspec

from chathooks_receiver.sinks import told

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 65_536


class CallFailed(Exception):
    """The call was not answered with 2xx; `status` is what it was answered with, or None."""

    def __init__(self, message: str, status: int | None = None) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object) -> None:
        return None


class HttpCall:
    """Calls to one URL with JSON bodies. Redirects are not followed, proxies of the environment not used."""

    def __init__(
        self,
        url: str,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Name the call. `timeout_s` bounds each wait for the network, in seconds. ValueError for a URL but http(s)."""
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("The URL to call begins with http:// or https://.")
        self._url = url
        self._method = method
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))

    async def send(self, content: object, *, idempotency_key: str | None = None) -> bytes:
        """Send `content` as JSON; the first 64 KiB of the answer. Raises `CallFailed`.

        `idempotency_key` is sent as the header of that name: give the context's key, since a handler may run twice.
        """
        return await asyncio.to_thread(self._send, msgspec.json.encode(content), idempotency_key)

    def _send(self, body: bytes, idempotency_key: str | None) -> bytes:
        headers = dict(self._headers)
        if idempotency_key is not None:
            headers["Idempotency-Key"] = urllib.parse.quote(idempotency_key, safe="")
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._url, data=body, headers=headers, method=self._method
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                content: Any = answer.read(ANSWER_BYTES_MAX)
                return bytes(content)
        except urllib.error.HTTPError as error:
            error.close()
            raise CallFailed(f"The call was answered {error.code}.", error.code) from None
        except OSError as error:
            raise CallFailed(f"The call failed: {told(error)}") from None
