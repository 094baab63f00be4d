"""What is served besides the API: health, metrics, documentation.

Starlette routes these; other parts of the server (console, media, client connections) are added as its routes.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chathooks.api import problems
from chathooks.api.docs_page import DocsPage
from chathooks.api.edge import Asgi, not_found
from chathooks.apps.access import Access
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.telemetry import REGISTRY

_JSON = "application/json"
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "via")
_BEARER = "bearer "
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""On every page that a browser may show."""

Ready = Callable[[], Awaitable[None]]


def problem(error: Exception) -> Response:
    """The error answer for an exception."""
    status, refusal = problems.shown(error)
    headers = {"Retry-After": str(problems.RETRY_AFTER_S)} if status == 503 else None
    return Response(problems.envelope(refusal), status, headers, _JSON)


def _is_loopback(request: Request) -> bool:
    # A proxy on this machine makes every caller look local; it says so in a header.
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    # A page in a browser on this machine may call under a name of its own (DNS rebinding).
    return _names_loopback(request.client.host) and _names_loopback(request.url.hostname or "")


def _names_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Probes:
    """Handlers of the pages for whoever runs the server: every process has them, whatever its role."""

    def __init__(self, access: Access, ready: Ready, *, local_metrics: bool = True) -> None:
        """
        Args:
            access: knows the management secret.
            ready: raises ChathooksError while the server cannot do its work.
            local_metrics: whether callers on loopback see metrics without the secret; not where a proxy on
                this machine makes everybody look local.
        """
        self._local_metrics = local_metrics
        self._access = access
        self._ready = ready

    async def healthz(self, _request: Request) -> Response:
        """The process lives."""
        return Response(b'{"data":{"status":"alive"}}', media_type=_JSON)

    async def readyz(self, _request: Request) -> Response:
        """The store answers."""
        try:
            await self._ready()
        except ChathooksError as error:
            return problem(error)
        return Response(b'{"data":{"status":"ready"}}', media_type=_JSON)

    async def metrics(self, request: Request) -> Response:
        """Prometheus metrics, on loopback or with the management secret (delivery contract §7)."""
        secret = request.headers.get("secret", "")
        authorization = request.headers.get("authorization", "")
        if not secret and authorization.lower().startswith(_BEARER):
            secret = authorization[len(_BEARER) :].strip()
        if not (self._local_metrics and _is_loopback(request)):
            allowed = bool(secret) and await self._access.is_management_secret(
                secret.encode("latin-1")
            )
            if not allowed:
                return problem(
                    ChathooksError(
                        "AUTH_ERR_EMPTY_AUTH_HEADER" if not secret else "AUTH_ERR_APIKEY_NOT_FOUND",
                        "Metrics are shown on loopback, or with the management secret in the secret "
                        "header or as a bearer token.",
                        {"secret": "is unknown" if secret else "is required"},
                    )
                )
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    def routes(self) -> list[BaseRoute]:
        """Their addresses."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
        ]


class Pages(Probes):
    """Handlers of all pages."""

    def __init__(
        self, access: Access, ready: Ready, docs: DocsPage, *, local_metrics: bool = True
    ) -> None:
        """
        Args:
            access: see Probes.
            ready: see Probes.
            docs: the documentation.
            local_metrics: see Probes.
        """
        super().__init__(access, ready, local_metrics=local_metrics)
        self._docs = docs

    def routes(self) -> list[BaseRoute]:
        """Their addresses."""
        return [
            *super().routes(),
            Route("/docs", self.docs),
            Route("/docs/openapi.json", self.openapi),
        ]

    async def docs(self, _request: Request) -> Response:
        """The documentation of the API as a page."""
        return Response(
            self._docs.html,
            headers=SECURITY_HEADERS | {"Content-Security-Policy": self._docs.policy},
            media_type="text/html; charset=utf-8",
        )

    async def openapi(self, _request: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._docs.openapi, media_type=_JSON)


def serves_no_api() -> ChathooksError:
    """ERR_API_NOT_FOUND: this process has another role."""
    return ChathooksError(
        "ERR_API_NOT_FOUND",
        "This node serves no API, as its CHATHOOKS_ROLE is delivery: call a node whose role is api or all.",
    )


def _handlers(unknown: Callable[[], ChathooksError]) -> dict[Any, Any]:
    """What answers exceptions; `unknown` makes the one for an address that there is not."""

    async def not_served(_request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code not in (404, 405):
            return problem(problems.bad_request("The request cannot be served."))
        return problem(unknown())

    async def failed(_request: Request, error: Exception) -> Response:
        return problem(error)

    return {HTTPException: not_served, ChathooksError: failed, Exception: failed}


def _application(routes: Sequence[BaseRoute], unknown: Callable[[], ChathooksError]) -> Asgi:
    app = Starlette(routes=routes, exception_handlers=_handlers(unknown))
    # A redirect would repeat the client's Host header; there is one address per page.
    app.router.redirect_slashes = False
    return app


def build_pages(pages: Pages, more: Sequence[BaseRoute] = ()) -> Asgi:
    """The ASGI application of all pages; `more` are routes of other parts of the server."""
    return _application([*pages.routes(), *more], not_found)


def build_probe_pages(probes: Probes) -> Asgi:
    """The ASGI application of a process that serves no API."""
    return _application(probes.routes(), serves_no_api)
