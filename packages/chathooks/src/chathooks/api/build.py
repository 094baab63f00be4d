"""The API put together from services; the store and the engine behind them are somebody else's."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from chathooks.api.docs_page import docs_page
from chathooks.api.edge import Asgi, Edge
from chathooks.api.openapi import openapi_document
from chathooks.api.pages import Pages, Probes, Ready, build_pages, build_probe_pages
from chathooks.api.rate_limits import RateLimits
from chathooks.api.routing import Route
from chathooks.apps.access import Access


def build_api(
    routes: Sequence[Route],
    *,
    access: Access,
    ready: Ready,
    more: Sequence[BaseRoute] = (),
    local_metrics: bool = True,
    rate_limits: RateLimits | None = None,
) -> Edge:
    """The ASGI application.

    Args:
        routes: every call of the API, of all resources.
        access: authenticates callers.
        ready: what `/readyz` asks; raises ChathooksError while the server cannot do its work.
        more: Starlette routes of other parts: console, media, client connections.
        rate_limits: count the calls of each app; none without.
        local_metrics: whether callers on loopback see `/metrics` without the management secret.
    """
    docs = docs_page(openapi_document(routes))
    pages = build_pages(Pages(access, ready, docs, local_metrics=local_metrics), more)
    return Edge(access, routes, pages, rate_limits)


def build_probes(*, access: Access, ready: Ready, local_metrics: bool = True) -> Asgi:
    """The ASGI application of a process that serves no API: health and metrics alone.

    Args:
        access: knows the management secret.
        ready: what `/readyz` asks; raises ChathooksError while the process cannot do its work.
        local_metrics: whether callers on loopback see `/metrics` without the management secret.
    """
    return build_probe_pages(Probes(access, ready, local_metrics=local_metrics))
