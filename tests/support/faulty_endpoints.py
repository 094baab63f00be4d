"""Faulty endpoints in a thread of their own, so that they take no time from the loop of the sender under test."""

import asyncio
import datetime
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chathooks_receiver.tools.faults.certificates import server_context
from chathooks_receiver.tools.faults.endpoint import Arrived, FaultyEndpoint
from chathooks_receiver.tools.faults.modes import parse_modes

CALL_TIMEOUT_S = 15.0


class Listening:
    """One endpoint, and what arrived at it."""

    def __init__(
        self, endpoint: FaultyEndpoint, arrived: list[Arrived], ca_file: Path | None
    ) -> None:
        self.endpoint = endpoint
        self.arrived = arrived
        self.ca_file = ca_file
        """The authority that vouches for its certificate; None for http."""

    @property
    def url(self) -> str:
        return f"{'https' if self.ca_file else 'http'}://127.0.0.1:{self.endpoint.port}/hook"


class FaultyEndpoints:
    """Starts endpoints; all are stopped when the `with` block ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._endpoints: list[FaultyEndpoint] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for endpoint in self._endpoints:
            self._call(endpoint.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)

    def listen(self, modes: str, *, at_random: bool = False, seed: int = 0) -> Listening:
        """An endpoint with these modes; https where one of them is about certificates."""
        arrived: list[Arrived] = []
        parsed = parse_modes(modes)
        endpoint = FaultyEndpoint(parsed, at_random=at_random, seed=seed, tell=arrived.append)
        kind = next((mode.certificate for mode in parsed if mode.certificate), None)
        context = ca_file = None
        if kind is not None:
            now = datetime.datetime.now(datetime.UTC)
            folder = self._folder / f"endpoint-{len(self._endpoints)}"
            folder.mkdir()
            context = server_context(kind, folder, host="127.0.0.1", now=now)
            ca_file = folder / "ca.pem"
        self._call(endpoint.start("127.0.0.1", 0, context))
        self._endpoints.append(endpoint)
        return Listening(endpoint, arrived, ca_file)
