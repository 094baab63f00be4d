"""Notifications through Apprise: mail, chat rooms, pagers, own endpoints, each named by a URL.

Apprise is imported only where addresses are given, and its calls block, so one daemon thread makes them one after
the other. Waiting messages are bounded; a message beyond the bound is dropped and counted. Apprise bounds connecting
and reading by 4 s each unless the address says otherwise. Addresses hold secrets: neither they nor Apprise's own
log lines, which may quote them, are ever logged.
"""

import logging
import queue
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import structlog

from chathooks.kernel import telemetry
from chathooks.kernel.errors import StartRefused

MESSAGES_WAITING_MAX = 100
CLOSE_WAIT_S = 2.0
"""What messages under way get when the server stops."""

log = structlog.get_logger("alerts")


class AppriseNotifier:
    """See `chathooks.delivery.alerting.Notifier`."""

    def __init__(self, addresses: Sequence[Any]) -> None:
        """Args: addresses: Apprise's notification services; `open` makes them of URLs."""
        self._addresses = addresses
        self._waiting: queue.Queue[tuple[str, str] | None] = queue.Queue(MESSAGES_WAITING_MAX)
        self._thread: threading.Thread | None = None

    @classmethod
    def open(cls, urls: Sequence[str]) -> "AppriseNotifier":
        """Import Apprise and read the addresses; blocks for some tenths of a second.

        Raises:
            StartRefused: an address is none that Apprise knows; it is named by its place, never quoted.
        """
        import apprise

        logging.getLogger("apprise").disabled = True
        asset = apprise.AppriseAsset(app_id="Chathooks", app_desc="Chathooks", async_mode=False)
        addresses = []
        for place, url in enumerate(urls, start=1):
            with warnings.catch_warnings():
                # Apprise loads all its services here; what some of them use of Python is no business of ours.
                warnings.simplefilter("ignore")
                address = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
            if address is None:
                raise StartRefused(
                    "ERR_SETTINGS",
                    f"CHATHOOKS_ALERT_URLS: address {place} of {len(urls)} is none that Apprise can "
                    "use; see the list of its services for how each is written.",
                    {"CHATHOOKS_ALERT_URLS": f"address {place} is not usable"},
                )
            addresses.append(address)
        return cls(addresses)

    def send(self, title: str, text: str) -> None:
        """Hand a message over; returns at once."""
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="notifier", daemon=True)
                thread.start()
                self._thread = thread
            self._waiting.put_nowait((title, text))
        except (queue.Full, RuntimeError) as error:
            # RuntimeError: the system has no thread left to give; the next message tries again.
            telemetry.ALERT_NOTIFICATIONS.labels("dropped").inc()
            log.error("an alert was not sent", reason=type(error).__name__)

    def close(self) -> None:
        """Send what waits, but for no longer than CLOSE_WAIT_S; blocks."""
        if self._thread is None:
            return
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(CLOSE_WAIT_S)

    def _run(self) -> None:
        while (message := self._waiting.get()) is not None:
            title, text = message
            for place, address in enumerate(self._addresses, start=1):
                self._notify(place, address, title, text)

    @staticmethod
    def _notify(place: int, address: Any, title: str, text: str) -> None:
        try:
            sent = bool(address.notify(title=title, body=text, notify_type="warning"))
        except Exception as error:
            # A plugin's bug must not end the thread; its words may quote the address.
            log.error("an alert was not sent", address=place, error=type(error).__name__)
            sent = False
        else:
            if not sent:
                log.error(
                    "an alert was not sent: its service refused or did not answer", address=place
                )
        telemetry.ALERT_NOTIFICATIONS.labels("sent" if sent else "failed").inc()
