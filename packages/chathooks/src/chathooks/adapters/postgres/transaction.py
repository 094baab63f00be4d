"""A PostgreSQL transaction: the ports of apps, chat, events, webhooks and deliveries on one connection."""

from chathooks.adapters.postgres.app_removal import AppRemovalPart
from chathooks.adapters.postgres.apps import AppsPart
from chathooks.adapters.postgres.chat_bans import ChatBansPart
from chathooks.adapters.postgres.chat_blocks import ChatBlocksPart
from chathooks.adapters.postgres.chat_departures import ChatDeparturesPart
from chathooks.adapters.postgres.chat_groups import ChatGroupsPart
from chathooks.adapters.postgres.chat_messages import ChatMessagesPart
from chathooks.adapters.postgres.chat_reactions import ChatReactionsPart
from chathooks.adapters.postgres.chat_threads import ChatThreadsPart
from chathooks.adapters.postgres.chat_tokens import ChatTokensPart
from chathooks.adapters.postgres.chat_users import ChatUsersPart
from chathooks.adapters.postgres.deliveries import DeliveryPart
from chathooks.adapters.postgres.feed import FeedPart
from chathooks.adapters.postgres.log import LogPart
from chathooks.adapters.postgres.membership import MembershipPart
from chathooks.adapters.postgres.meta import MetaPart
from chathooks.adapters.postgres.replays import ReplaysPart
from chathooks.adapters.postgres.webhooks import WebhooksPart


class PostgresTransaction(
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
    MembershipPart,
    MetaPart,
    ReplaysPart,
    WebhooksPart,
):
    """One class, so that a command may change chat state and append events in the same transaction."""
