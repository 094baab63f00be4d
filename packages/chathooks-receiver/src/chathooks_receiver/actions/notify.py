"""Write to people: e-mail, SMS, Slack and some hundred more services, through Apprise."""

import asyncio
import warnings
from collections.abc import Sequence

import apprise


class NotifyFailed(Exception):
    """Not every service took the message; Apprise's own log says which and why."""


class Notifier:
    """The services at `urls` (`mailto://…`, `twilio://…`; see Apprise's documentation)."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Read the URLs, which hold secrets and are told to nobody. ValueError for one that Apprise does not know."""
        self._services = apprise.Apprise()
        with warnings.catch_warnings():
            # Apprise loads its services here; some of them import modules that Python will drop.
            warnings.simplefilter("ignore", DeprecationWarning)
            for number, url in enumerate(urls, start=1):
                if not self._services.add(url):
                    raise ValueError(f"Apprise does not know the service of URL number {number}.")

    async def send(self, title: str, text: str) -> None:
        """Send to all services. Raises `NotifyFailed`."""
        if not await asyncio.to_thread(self._services.notify, body=text, title=title):
            raise NotifyFailed("A message could not be sent; see the log of apprise.")
