"""ASGI endpoints on uvicorn in a thread, with or without TLS, and the receiver kit's own among them."""

import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from chathooks_receiver.adapters.asgi import ReceiverApp
from chathooks_receiver.dedupe.memory import MemoryDedupe
from chathooks_receiver.receiver import AsyncReceiver
from chathooks_receiver.sinks.memory import MemorySink
from chathooks_receiver.testing import TEST_CREDENTIALS, TEST_SECRET
from support.services import wait_until

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

STOP_TIMEOUT_S = 20.0
USERNAME, PASSWORD = TEST_CREDENTIALS
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@contextmanager
def serving_app(app: App, *, pem: Path | None = None, port: int = 0) -> Iterator[str]:
    """The URL that the app is served at while the block runs; `pem` holds key and certificate."""
    # With the protocol named: asyncio switches Nagle's algorithm off for no other socket, and then answers take 40 ms.
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            app,
            log_level="critical",
            ws="none",
            lifespan="on",
            loop="asyncio",
            timeout_graceful_shutdown=1,
            ssl_certfile=pem,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        wait_until(lambda: server.started, "uvicorn serves")
        scheme = "https" if pem else "http"
        try:
            yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/webhook"
        finally:
            server.should_exit = True
            thread.join(STOP_TIMEOUT_S)
            assert not thread.is_alive()


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of loopback that nobody else gets while the block runs; who sets SO_REUSEADDR may listen on it."""
    with socket.socket(proto=socket.IPPROTO_TCP) as holding:
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holding.bind(("127.0.0.1", 0))
        yield int(holding.getsockname()[1])


@dataclass
class Kit:
    """The receiver kit as an ASGI app, and what it has accepted."""

    app: App
    sink: MemorySink


def kit(**settings: Any) -> Kit:
    """The kit with the credentials and the secret for tests, unless `settings` of the receiver say otherwise."""
    sink = MemorySink()
    given: dict[str, Any] = {
        "credentials": [TEST_CREDENTIALS],
        "secrets": [TEST_SECRET],
        **settings,
    }
    return Kit(ReceiverApp(AsyncReceiver(sink=sink, dedupe=MemoryDedupe(), **given)), sink)
