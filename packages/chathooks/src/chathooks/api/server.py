"""The HTTP server in this process, on the event loop that the delivery engine runs on."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from chathooks.api.protocol import EdgeProtocol
from chathooks.kernel.errors import StartRefused

KEEP_ALIVE_S = 75
"""How long an idle connection is kept."""
SHUTDOWN_S = 10
"""How long requests that are being answered may take once the server stops."""
SWEEP_S = 1.0
"""How often deadlines of connections are looked at."""
LISTEN_BACKLOG = 2048
CONNECTIONS_MAX = 10_000

log = structlog.get_logger("http")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where and how the server listens."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free one."""
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    trusted_proxies: Sequence[str] = ()
    """Networks whose X-Forwarded-For and X-Forwarded-Proto headers are believed."""
    connections_max: int = CONNECTIONS_MAX
    websockets: Any = "none"
    """A protocol class of uvicorn's kind that takes WebSocket upgrades."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the program decides when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _listen(listen: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY on such sockets alone; without it a kept connection
    # waits 40 ms for the client's delayed acknowledgement between the head and the body of an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((listen.host, listen.port))
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartRefused(
            "ERR_ADDRESS",
            f"Cannot listen on {listen.host} port {listen.port}: {error.strerror or error}. "
            "Choose another CHATHOOKS_HOST or CHATHOOKS_PORT, or stop what uses it.",
        ) from None
    listener.setblocking(False)
    return listener


class ApiServer:
    """A running server; make it with `await ApiServer.start(app, listen)`."""

    def __init__(self, server: _Server, listener: socket.socket) -> None:
        self._server = server
        self._listener = listener
        self.port: int = listener.getsockname()[1]

    @classmethod
    async def start(cls, app: Any, listen: Listen) -> "ApiServer":
        """Listen and serve `app` (ASGI) until `stop`.

        Raises:
            StartRefused: the address cannot be used, or the certificate or its key cannot be read.
        """
        # What it would say of malformed requests is answered to the client; its errors are still logged.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        protocol = type(
            "BoundedProtocol", (EdgeProtocol,), {"connections_max": listen.connections_max}
        )
        config = uvicorn.Config(
            app,
            http=protocol,
            ws=listen.websockets,
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(listen.trusted_proxies),
            forwarded_allow_ips=list(listen.trusted_proxies),
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
            ssl_certfile=listen.tls_cert_file,
            ssl_keyfile=listen.tls_key_file,
        )
        try:
            config.load()
        except OSError as error:  # ssl.SSLError is one
            raise StartRefused(
                "ERR_TLS",
                f"The TLS certificate or its key cannot be used: {error.strerror or error}.",
            ) from None
        listener = _listen(listen)
        server = cls(_Server(config), listener)
        await server._run()
        return server

    async def _run(self) -> None:
        self._task = asyncio.create_task(self._server._serve([self._listener]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait((self._task, ready), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            ready.cancel()
            self._listener.close()
            self._task.result()
            raise StartRefused("ERR_ADDRESS", "The server ended while it started.")
        self._sweeper = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            self.expire(loop.time())

    def expire(self, now: float) -> None:
        """End connections whose deadline has passed at loop time `now` (seconds)."""
        for connection in list(self._server.server_state.connections):
            if isinstance(connection, EdgeProtocol):
                connection.expire(now)

    @property
    def connections(self) -> int:
        """Open HTTP connections."""
        return len(self._server.server_state.connections)

    async def stop(self) -> None:
        """Take no more connections, finish the requests that are being answered, close."""
        self._server.should_exit = True
        try:
            await self._task
        finally:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
            self._listener.close()
