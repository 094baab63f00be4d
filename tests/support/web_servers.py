"""One endpoint behind every web framework, each on the server that people run it with."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from chathooks_receiver.adapters.bridge import BlockingReceiver
from chathooks_receiver.receiver import AsyncReceiver
from support.services import accepts, wait_until

Make = Callable[[], AsyncReceiver]
PATH = "/webhook"
STOP_TIMEOUT_S = 20.0


@contextmanager
def _on_uvicorn(app: Any) -> Iterator[int]:
    import uvicorn

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="error", ws="none", lifespan="on", loop="asyncio")
        )
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        wait_until(lambda: server.started, "uvicorn serves")
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join(STOP_TIMEOUT_S)


@contextmanager
def asgi(make: Make) -> Iterator[int]:
    from chathooks_receiver.adapters.asgi import ReceiverApp

    with _on_uvicorn(ReceiverApp(make())) as port:
        yield port


@contextmanager
def starlette(make: Make) -> Iterator[int]:
    from starlette.applications import Starlette
    from starlette.routing import Route

    from chathooks_receiver.adapters.starlette import endpoint, lifespan

    receiver = make()
    methods = ["GET", "POST", "PUT", "DELETE"]
    routes = [Route(PATH, endpoint(receiver), methods=methods)]
    with _on_uvicorn(Starlette(routes=routes, lifespan=lifespan(receiver))) as port:
        yield port


@contextmanager
def fastapi(make: Make) -> Iterator[int]:
    from fastapi import FastAPI

    from chathooks_receiver.adapters.fastapi import lifespan, router

    receiver = make()
    app = FastAPI(lifespan=lifespan(receiver))
    app.include_router(router(receiver, PATH))
    with _on_uvicorn(app) as port:
        yield port


@contextmanager
def aiohttp(make: Make) -> Iterator[int]:
    from aiohttp import web

    from chathooks_receiver.adapters.aiohttp import handler, opened

    app = web.Application(client_max_size=16)  # the kit's own limit counts, not the framework's
    receiver = make()
    app.router.add_route("*", PATH, handler(receiver))
    app.cleanup_ctx.append(opened(receiver))
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]

        async def serve() -> None:
            await runner.setup()
            await web.SockSite(runner, listening).start()

        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        asyncio.run_coroutine_threadsafe(serve(), loop).result(STOP_TIMEOUT_S)
        try:
            yield port
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(STOP_TIMEOUT_S)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_TIMEOUT_S)
            loop.close()


@contextmanager
def _on_werkzeug(app: Any) -> Iterator[int]:
    from werkzeug.serving import WSGIRequestHandler as Handler
    from werkzeug.serving import make_server as make_werkzeug

    class Quiet(Handler):
        protocol_version = "HTTP/1.1"

        def log(self, type: str, message: str, *args: object) -> None:
            pass

    server = make_werkzeug("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    with _served(server):
        yield server.server_port


@contextmanager
def _served(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    wait_until(lambda: accepts(server.server_port), "the server serves")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(STOP_TIMEOUT_S)


@contextmanager
def flask(make: Make) -> Iterator[int]:
    from flask import Flask

    from chathooks_receiver.adapters.flask import view

    with BlockingReceiver(make) as receiver:
        app = Flask(__name__)
        methods = ["GET", "POST", "PUT", "DELETE"]
        app.add_url_rule(PATH, view_func=view(receiver), methods=methods)
        with _on_werkzeug(app) as port:
            yield port


@contextmanager
def django(make: Make) -> Iterator[int]:
    import django as package
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import clear_url_caches, path

    from chathooks_receiver.adapters.django import view

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="tests",
            DATA_UPLOAD_MAX_MEMORY_SIZE=16,  # the kit's own limit counts, not the framework's
            MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
            LOGGING_CONFIG=None,
        )
        package.setup()
    with BlockingReceiver(make) as receiver:
        routes = type("Routes", (), {"urlpatterns": [path(PATH[1:], view(receiver))]})
        settings.ROOT_URLCONF = routes
        clear_url_caches()
        with _on_werkzeug(get_wsgi_application()) as port:
            yield port


@contextmanager
def wsgi(make: Make) -> Iterator[int]:
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer

    from chathooks_receiver.adapters.wsgi import WsgiApp

    class Threaded(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with BlockingReceiver(make) as receiver:
        server = make_server("127.0.0.1", 0, WsgiApp(receiver), Threaded, Quiet)
        with _served(server):
            yield server.server_port


FRAMEWORKS: dict[str, Callable[[Make], contextlib.AbstractContextManager[int]]] = {
    "asgi": asgi,
    "starlette": starlette,
    "fastapi": fastapi,
    "aiohttp": aiohttp,
    "flask": flask,
    "django": django,
    "wsgi": wsgi,
}
