"""Calls of the measured server's REST API, to set it up and to time lists."""

import http.client
import time
from types import TracebackType
from typing import Any

import msgspec

API_KEY = "0123456789abcdef0123456789abcdef01234567"
PEOPLE = ("alice", "bob")
CALL_S_MAX = 60.0


class Api:
    """A kept connection to a server on this machine."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CALL_S_MAX)

    def __enter__(self) -> "Api":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer. Raises RuntimeError where it is not 200."""
        headers = {"apikey": API_KEY}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(
            method, path, None if body is None else msgspec.json.encode(body), headers
        )
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {text!r}")
        return msgspec.json.decode(text)

    def add_people(self) -> None:
        """Two users to talk to each other."""
        for uid in PEOPLE:
            self.call("POST", "/v3/users", {"uid": uid, "name": uid.capitalize()})

    def add_webhook(self, name: str, url: str) -> None:
        """A webhook that gets every message."""
        body = {
            "id": name,
            "name": name,
            "webhookURL": url,
            "triggers": ["message_sent"],
            "retryOnFailure": True,
        }
        self.call("POST", "/v3/webhooks", body)

    def seconds(self, path: str) -> float:
        """How long a GET takes, the reading of its answer included."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers={"apikey": API_KEY})
        answer = self._connection.getresponse()
        text = answer.read()
        taken = time.perf_counter() - began
        if answer.status != http.client.OK:
            raise RuntimeError(f"GET {path} was answered with {answer.status}: {text!r}")
        return taken
