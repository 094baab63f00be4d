"""A SQLite transaction: the ports of apps, chat, events, webhooks and deliveries on one connection."""

from chathooks.adapters.sqlite.app_removal import AppRemovalPart
from chathooks.adapters.sqlite.apps import AppsPart
from chathooks.adapters.sqlite.chat_bans import ChatBansPart
from chathooks.adapters.sqlite.chat_blocks import ChatBlocksPart
from chathooks.adapters.sqlite.chat_departures import ChatDeparturesPart
from chathooks.adapters.sqlite.chat_groups import ChatGroupsPart
from chathooks.adapters.sqlite.chat_messages import ChatMessagesPart
from chathooks.adapters.sqlite.chat_reactions import ChatReactionsPart
from chathooks.adapters.sqlite.chat_threads import ChatThreadsPart
from chathooks.adapters.sqlite.chat_tokens import ChatTokensPart
from chathooks.adapters.sqlite.chat_users import ChatUsersPart
from chathooks.adapters.sqlite.deliveries import DeliveryPart
from chathooks.adapters.sqlite.feed import FeedPart
from chathooks.adapters.sqlite.log import LogPart
from chathooks.adapters.sqlite.meta import MetaPart
from chathooks.adapters.sqlite.replays import ReplaysPart
from chathooks.adapters.sqlite.webhooks import WebhooksPart


class SqliteTransaction(
    AppRemovalPart,
    AppsPart,
    ChatBansPart,
    ChatBlocksPart,
    ChatDeparturesPart,
    ChatGroupsPart,
    ChatMessagesPart,
    ChatReactionsPart,
    ChatThreadsPart,
    ChatTokensPart,
    ChatUsersPart,
    DeliveryPart,
    FeedPart,
    LogPart,
    MetaPart,
    ReplaysPart,
    WebhooksPart,
):
    """One class, so that a command may change chat state and append events in the same transaction."""
