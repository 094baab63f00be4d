"""The endpoint of the demo: a small real HTTPS server, one path per webhook.

Each path has its own `chathooks_receiver.Receiver`, which verifies Basic auth and the signature and leaves out
duplicates. A path may be told to fail on purpose for the first event of one trigger.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from chathooks.api.server import ApiServer, Listen
from chathooks.demo.certificates import Certificates
from chathooks_events.envelope import ReceivedEvent, decode_body
from chathooks_events.errors import MalformedBody
from chathooks_receiver.receiver import BODY_BYTES_MAX, Receiver, Response

HOST = "127.0.0.1"
STATUS_OK = 200
STATUS_UNAVAILABLE = 503

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A delivery that the endpoint answered with 200."""

    webhook: str
    number: int
    """`chathooks-number` of the request; 0 where it had none, as test deliveries have none."""
    event_id: str
    trigger: str
    duplicate: bool
    """The event had been accepted before."""


@dataclass(frozen=True, slots=True)
class Stumble:
    """Fail on purpose: answer 503 to the first `times` attempts of the first event of `trigger`."""

    trigger: str
    times: int


def _answer(status: int, body: bytes) -> Response:
    return Response(status=status, headers={"Content-Type": "application/json"}, body=body)


_NOT_FOUND = _answer(404, b'{"error":{"code":"ERR_PATH","message":"No webhook leads here."}}')
_STUMBLED = _answer(STATUS_UNAVAILABLE, b'{"status":"overloaded"}')
_TOO_LARGE = _answer(413, b'{"error":{"code":"ERR_BODY_TOO_LARGE","message":"Too large."}}')


class Inbox:
    """What stands behind one path."""

    def __init__(
        self,
        webhook: str,
        *,
        credentials: tuple[str, str],
        secret: str,
        now_s: Callable[[], float],
        stumble: Stumble | None = None,
    ) -> None:
        """Accept deliveries for the webhook of this id, signed with `secret`; `now_s` is unix seconds."""
        self.accepted: list[Acceptance] = []
        self._webhook = webhook
        self._receiver = Receiver(
            handler=self._take, now_s=now_s, credentials=[credentials], secrets=[secret]
        )
        self._taken: ReceivedEvent | None = None
        self._stumble = stumble
        self._stumbles_left = stumble.times if stumble else 0
        self._stumbles_over: str | None = None

    def _take(self, event: ReceivedEvent) -> None:
        if event.webhook_id != self._webhook:
            raise ValueError(f"This is the path of {self._webhook!r}, not of {event.webhook_id!r}.")

    def _fails(self, event: ReceivedEvent) -> bool:
        if self._stumble is None or event.trigger != self._stumble.trigger:
            return False
        if self._stumbles_over is None:
            self._stumbles_over = event.event_id
        if event.event_id != self._stumbles_over or not self._stumbles_left:
            return False
        self._stumbles_left -= 1
        return True

    def handle(self, method: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer one request; header names are lower-case."""
        try:
            event = decode_body(body)
        except MalformedBody:
            return self._receiver.handle(method, headers, body)
        if self._fails(event):
            return _STUMBLED
        response = self._receiver.handle(method, headers, body)
        if response.status == STATUS_OK:
            number = headers.get("chathooks-number", "")
            self.accepted.append(
                Acceptance(
                    webhook=self._webhook,
                    number=int(number) if number.isascii() and number.isdigit() else 0,
                    event_id=event.event_id or "",
                    trigger=event.trigger,
                    duplicate=b"duplicate" in response.body,
                )
            )
        return response


class DemoEndpoint:
    """The HTTPS server; make it with `await DemoEndpoint.start(certificates)`, then `open` paths."""

    def __init__(self) -> None:
        self._inboxes: dict[str, Inbox] = {}
        self._server: ApiServer | None = None

    @classmethod
    async def start(cls, certificates: Certificates) -> "DemoEndpoint":
        """Listen on a free port of loopback. Raises StartRefused."""
        endpoint = cls()
        endpoint._server = await ApiServer.start(
            endpoint,
            Listen(
                host=HOST,
                port=0,
                tls_cert_file=certificates.cert_file,
                tls_key_file=certificates.key_file,
            ),
        )
        return endpoint

    def url(self, webhook: str) -> str:
        """The URL to give to the webhook of this id."""
        if self._server is None:
            raise RuntimeError("The endpoint is not listening.")
        return f"https://{HOST}:{self._server.port}/{webhook}"

    def open(self, webhook: str, inbox: Inbox) -> None:
        """Answer the webhook's requests from now on."""
        self._inboxes[f"/{webhook}"] = inbox

    def accepted(self) -> list[Acceptance]:
        """What all paths have accepted so far."""
        return [accepted for inbox in self._inboxes.values() for accepted in inbox.accepted]

    async def stop(self) -> None:
        """Close the port."""
        if self._server is not None:
            await self._server.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            return
        inbox = self._inboxes.get(scope["path"])
        body = await _body(receive)
        if inbox is None:
            response = _NOT_FOUND
        elif body is None:
            response = _TOO_LARGE
        else:
            headers: dict[str, str] = {}
            for name, value in scope["headers"]:
                headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
            response = inbox.handle(scope["method"], headers, body)
        fields = {**response.headers, "Content-Length": str(len(response.body))}
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": [
                    (name.lower().encode("latin-1"), value.encode("latin-1"))
                    for name, value in fields.items()
                ],
            }
        )
        await send({"type": "http.response.body", "body": response.body})


async def _body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body", False):
            return bytes(body)
