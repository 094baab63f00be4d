"""A SQLite transaction: the ports of apps, chat, events, webhooks and deliveries on one connection."""

from chathooks.adapters.sqlite.apps import AppsPart
from chathooks.adapters.sqlite.deliveries import DeliveryPart
from chathooks.adapters.sqlite.feed import FeedPart


class SqliteTransaction(AppsPart, DeliveryPart, FeedPart):
    """One class, so that a command may change chat state and append events in the same transaction."""
