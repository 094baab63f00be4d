"""Endpoints that each get one thing wrong, as real endpoints do."""

import asyncio
import base64
import http.server
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from chathooks_receiver.testing import TEST_CREDENTIALS
from support.receiver_server import App, Receive, Scope, Send, kit

USERNAME, PASSWORD = TEST_CREDENTIALS
BASIC = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
STOP_TIMEOUT_S = 10.0


async def answer(send: Send, status: int, body: bytes = b"{}", **headers: str) -> None:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    fields.append((b"content-length", str(len(body)).encode()))
    if status == 204:
        fields, body = [], b""
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


Before = Callable[[Scope, bytes, Send], Any]


def before(app: App, wrong: Before) -> App:
    """The app, but `wrong` may answer first; it says so by returning True."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        body = await read(receive)
        if await wrong(scope, body, send):
            return
        given = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Any:
            return next(given, {"type": "http.disconnect"})

        await app(scope, again, send)

    return wrapped


def headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}


def as_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def replaced_status(app: App, old: int, new: int) -> App:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def changed(message: Any) -> None:
            if message.get("status") == old:
                message = {**message, "status": new}
            await send(message)

        await app(scope, receive, changed if scope["type"] == "http" else send)

    return wrapped


def created() -> App:
    """Answers 201."""
    return replaced_status(kit().app, 200, 201)


def open_to_all() -> App:
    """Checks nothing."""
    return kit(credentials=[], secrets=[]).app


def no_basic() -> App:
    """Checks the signature only."""
    return kit(credentials=[]).app


def user_name_only() -> App:
    """Looks at the user name, not at the password."""

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        given = headers_of(scope).get("authorization", "")
        try:
            pair = base64.b64decode(given.removeprefix("Basic "))
        except ValueError:
            return False
        if pair.startswith(f"{USERNAME}:".encode()):
            scope["headers"] = [
                (name, BASIC.encode() if name == b"authorization" else value)
                for name, value in scope["headers"]
            ]
        return False

    return before(kit().app, wrong)


def no_signature() -> App:
    """Checks the credentials only."""
    return kit(secrets=[]).app


def timeless() -> App:
    """Takes signatures of any age."""
    return kit(tolerance_s=1e12).app


def refuses_duplicates() -> App:
    """Answers 409 to what it had before."""
    app = kit().app
    seen: set[str] = set()

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        event = as_json(body)
        known = isinstance(event, dict) and event.get("eventId") in seen
        if known and headers_of(scope).get("authorization") == BASIC:
            await answer(send, 409)
            return True
        if isinstance(event, dict) and "eventId" in event:
            seen.add(str(event["eventId"]))
        return False

    return before(app, wrong)


def crashes_on_bad_json() -> App:
    """Parses without an error handler."""
    return replaced_status(kit().app, 400, 500)


def shows_traces() -> App:
    """Runs in debug mode."""

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        if isinstance(as_json(body), dict) and b'"trigger": null' not in body:
            return False
        if headers_of(scope).get("authorization") != BASIC:
            return False
        await answer(send, 400, b"Traceback (most recent call last):\n  File app.py\nKeyError")
        return True

    return before(kit().app, wrong)


def strict_triggers() -> App:
    """Refuses triggers that it does not know."""

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        if b"message_teleported" not in body:
            return False
        await answer(send, 400)
        return True

    return before(kit().app, wrong)


def few_triggers() -> App:
    """Answers 404 to whatever is not about messages, and so to unknown triggers too."""

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        event = as_json(body)
        trigger = event.get("trigger") if isinstance(event, dict) else None
        if not isinstance(trigger, str) or trigger.startswith(("message_", "user_")):
            return False
        await answer(send, 404)
        return True

    return before(kit().app, wrong)


def strict_fields() -> App:
    """Refuses fields that it does not know."""

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        event = as_json(body)
        if not isinstance(event, dict) or "newField" not in event:
            return False
        await answer(send, 422)
        return True

    return before(kit().app, wrong)


def latin_only() -> App:
    """Stores text in a column that takes no characters of four bytes."""

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return False
        if not any(character > "\uffff" for character in text):
            return False
        await answer(send, 500)
        return True

    return before(kit().app, wrong)


def small_bodies() -> App:
    """Takes 64 KiB at most, as some frameworks do unless told otherwise."""
    return kit(body_bytes_max=65_536).app


def any_size() -> App:
    """Takes any size, and calls it accepted."""

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        if len(body) < 1_048_576:
            return False
        await answer(send, 200)
        return True

    return before(kit().app, wrong)


def any_method() -> App:
    """Takes every method for POST."""

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        scope["method"] = "POST"
        return False

    return before(kit().app, wrong)


def any_type() -> App:
    """Does not look at the content type."""

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        scope["headers"] = [
            (name, b"application/json" if name == b"content-type" else value)
            for name, value in scope["headers"]
        ]
        return False

    return before(kit().app, wrong)


def in_order_only() -> App:
    """Refuses what is about a message that it has not seen."""
    known: set[str] = set()

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        event = as_json(body)
        if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
            return False
        data = event["data"]
        if event.get("trigger") == "message_sent" and isinstance(data.get("message"), dict):
            known.add(str(data["message"].get("id")))
        receipt = event.get("trigger") in ("message_delivery_receipt", "message_read_receipt")
        about = data["body"]["messageId"] if receipt else None
        if about is None or about in known or about == "1042":  # that of the samples
            return False
        await answer(send, 404)
        return True

    return before(kit().app, wrong)


def slow_now_and_then() -> App:
    """Every fifth request takes longer than two seconds."""
    count = 0

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        nonlocal count
        count += 1
        if count % 5 == 0:
            await asyncio.sleep(3.0)
        return False

    return before(kit().app, wrong)


def one_at_a_time() -> App:
    """Works on one event after the other, a fifth of a second each."""
    app = kit().app
    lock = asyncio.Lock()

    async def wrong(scope: Scope, body: bytes, send: Send) -> bool:
        async with lock:
            await asyncio.sleep(0.2)
        return False

    return before(app, wrong)


def moved() -> App:
    """Has moved elsewhere."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await kit().app(scope, receive, send)
            return
        await read(receive)
        await answer(send, 308, location="/elsewhere")

    return app


@contextmanager
def single_threaded() -> Iterator[str]:
    """Python's simplest server: one connection at a time, each to its end."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(STOP_TIMEOUT_S)


@asynccontextmanager
async def one_read() -> AsyncIterator[str]:
    """Takes what one read of the socket brings for the whole request, and header names as it expects them."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.read(1_048_576)
            head, _, body = request.partition(b"\r\n\r\n")
            whole = b"Content-Length: %d" % len(body) in head
            status = b"200 OK" if whole else b"400 Bad Request"
            writer.write(
                b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await writer.drain()
        except OSError:
            writer.transport.abort()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**21)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
