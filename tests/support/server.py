"""A real server on a free loopback port, on a store of its own, in the test's event loop."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute

from chathooks.api.build import build_api
from chathooks.api.deliveries_routes import DeliveryRoutes
from chathooks.api.rate_limits import RateLimits
from chathooks.api.routing import Route
from chathooks.api.server import ApiServer, Listen
from chathooks.api.triggers_routes import TriggerRoutes
from chathooks.api.webhooks_routes import WebhookRoutes
from chathooks.app.build import build
from chathooks.app.settings import Settings
from chathooks.apps.access import Access
from chathooks.apps.bootstrap import Given, bootstrap
from chathooks.apps.records import Credentials
from chathooks.delivery.log import DeliveryLog
from chathooks.delivery.webhooks import Webhooks
from chathooks.egress.guard import TargetPolicy
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import Clock, SystemClock
from chathooks.kernel.crypto import SECRET_KEY_BYTES, SecretBox
from chathooks.kernel.ids import EventIds, system_random
from support import stores
from support.stores import Store, open_store

ANSWER_TIMEOUT_S = 10.0
SECRET_KEY = bytes(range(SECRET_KEY_BYTES))

MoreRoutes = Callable[[Store, Outbox], Sequence[Route]]


@dataclass(frozen=True)
class Response:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        assert self.status == 200, (self.status, self.body)
        return self.json["data"]

    @property
    def code(self) -> str:
        """The code of an error answer; the envelope is checked on the way."""
        error = self.json["error"]
        assert set(self.json) == {"error"}
        assert set(error) == {"code", "message", "details"}
        assert isinstance(error["message"], str)
        assert error["message"]
        assert all(isinstance(value, str) for value in error["details"].values())
        return str(error["code"])

    @property
    def details(self) -> dict[str, str]:
        return dict(self.json["error"]["details"])


@dataclass
class Client:
    """Talks to a running server."""

    port: int
    credentials: Credentials

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def raw(
        self, data: bytes, *, until_closed: bool = True, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> bytes:
        """Write bytes to a new connection and read what comes back until the server closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            if until_closed:
                return await asyncio.wait_for(reader.read(), timeout_s)
            return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout_s)
        finally:
            writer.close()

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Response:
        """Send a request as given; `body` is sent as JSON, `content` as it is."""
        sent = dict(headers or {})
        if body is not None:
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        return await asyncio.to_thread(self._request, method, path, content, sent)

    def _request(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            return Response(
                answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
            )
        finally:
            connection.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Response:
        """Call the API below /v3 with the fullAccess key, or with `key`."""
        sent = {"apikey": key or self.credentials.api_key, **(headers or {})}
        return await self.request(method, f"/v3{path}", body, headers=sent)

    async def manage(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Call the management API of the server's app."""
        sent = {
            "key": self.credentials.management_key,
            "secret": self.credentials.management_secret,
            **(headers or {}),
        }
        path = f"/apps/{self.credentials.app_id}{path}"
        return await self.request(method, path, body, headers=sent)


@dataclass
class Server(Client):
    """A running edge with the services behind it."""

    store: Store
    outbox: Outbox
    box: SecretBox
    http: ApiServer


@asynccontextmanager
async def running(tmp_path: Path, **settings: Any) -> AsyncIterator[Client]:
    """The whole server as `chathooks serve` puts it together, delivering; settings by field name."""
    data_dir = tmp_path / "data"
    stored = stores.current.fields(data_dir / "chathooks.sqlite3")
    given = replace(Settings(data_dir=data_dir, port=0, app_id="app1"), **{**stored, **settings})
    runtime = await build(given)
    assert runtime.credentials is not None
    await runtime.start()
    try:
        yield Client(runtime.port, runtime.credentials)
    finally:
        await runtime.stop()


@asynccontextmanager
async def serving(
    tmp_path: Path,
    *,
    clock: Clock | None = None,
    policy: TargetPolicy | None = None,
    webhooks_per_app: int = 25,
    routes: MoreRoutes | None = None,
    pages: Sequence[BaseRoute] = (),
    listen: Listen | None = None,
    rate_limits: RateLimits | None = None,
) -> AsyncIterator[Server]:
    """Serve the API on a fresh store below `tmp_path` while the block runs; nothing is delivered.

    Args:
        tmp_path: where the store is kept; a second call with the same path serves it again.
        clock: what the services read; the system's by default.
        policy: which webhook URLs are allowed; none private by default.
        webhooks_per_app: the limit.
        routes: makes further routes from the store and the outbox.
        pages: further Starlette routes.
        listen: how to listen; a free port of loopback by default.
        rate_limits: count the calls of each app; none by default.
    """
    clock = clock or SystemClock()
    store = await open_store(tmp_path / "chathooks.db")
    try:
        given = Given(
            app_id="app1",
            api_key="a" * 40,
            auth_key="b" * 40,
            management_key="c" * 40,
            management_secret="d" * 40,
        )
        await bootstrap(store, random=system_random, now_ms=clock.wall_ms(), given=given)
        credentials = Credentials(
            "app1", "us", "a" * 40, "b" * 40, management_key="c" * 40, management_secret="d" * 40
        )
        outbox = Outbox(clock, EventIds(clock.wall_ms, system_random))
        box = SecretBox(SECRET_KEY, system_random)
        webhooks = Webhooks(
            store,
            outbox,
            clock,
            system_random,
            box,
            policy or TargetPolicy(),
            webhooks_per_app=webhooks_per_app,
        )
        all_routes = [
            *WebhookRoutes(webhooks).routes(),
            *TriggerRoutes().routes(),
            *DeliveryRoutes(DeliveryLog(store, clock)).routes(),
            *(routes(store, outbox) if routes else ()),
        ]

        async def ready() -> None:
            await store.read(lambda tx: tx.has_apps())

        app = build_api(
            all_routes, access=Access(store), ready=ready, more=pages, rate_limits=rate_limits
        )
        server = await ApiServer.start(app, listen or Listen(port=0))
        try:
            yield Server(server.port, credentials, store, outbox, box, server)
        finally:
            await server.stop()
    finally:
        await store.close()
