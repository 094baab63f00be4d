"""The parts of the campaign events (REST contract D2, campaigns)."""

from collections.abc import Sequence
from typing import Any, Literal

from chathooks_events.wire import Count, JsonObject, UnixSeconds, Wire


class Campaign(Wire, frozen=True, kw_only=True):
    """A campaign with its totals."""

    campaign_id: str
    app_id: str
    name: str
    status: str
    template_id: str
    template_version: int
    total_targets: Count
    sent_count: Count
    failed_count: Count
    tag: str | None = None
    scheduled_at: UnixSeconds | None = None
    sent_at: UnixSeconds | None = None
    completed_at: UnixSeconds | None = None
    created_at: UnixSeconds
    updated_at: UnixSeconds | None = None


class CampaignNotification(Wire, frozen=True, kw_only=True):
    """A notification that was asked for and is now being sent."""

    notification_id: str
    app_id: str
    template_id: str
    template_version: int
    category: str | None = None
    label: str | None = None
    tags: Sequence[str] | None = None
    send_mode: Literal["realtime"]
    campaign_id: str | None = None
    priority: str | None = None
    channels: Sequence[str]
    data_type: str | None = None
    status: Literal["dispatching"]
    total_targets: Count
    sent_count: Count
    failed_count: Count
    created_at: UnixSeconds


class NotificationToReceiver(Wire, frozen=True, kw_only=True):
    """What a feed item and a push notification share: one notification for one receiver."""

    app_id: str
    notification_id: str | None = None
    campaign_id: str | None = None
    receiver: str
    template_id: str
    template_version: int
    channel_id: str | None = None
    label: str | None = None
    tags: Sequence[str] | None = None
    data_type: str | None = None
    sent_at: UnixSeconds | None = None
    delivered_at: UnixSeconds | None = None
    engaged_at: UnixSeconds | None = None
    metadata: JsonObject | None = None


class FeedItem(NotificationToReceiver, frozen=True, kw_only=True):
    """An item of a user's notification feed."""

    id: str
    channel_type: Literal["in_app"]
    template_category: str | None = None
    category_id: str | None = None
    alternative_text: str | None = None
    variables: JsonObject | None = None
    read_at: UnixSeconds | None = None
    interacted_at: UnixSeconds | None = None
    realtime_fanout: Sequence[Any] | None = None
    content: Any | None = None


class PushNotification(NotificationToReceiver, frozen=True, kw_only=True):
    """A push notification to one user."""

    push_notification_id: str
    channel_type: Literal["push"]
    category: str | None = None
    tag: str | None = None
    clicked_at: UnixSeconds | None = None
    failed_at: UnixSeconds | None = None
    error_message: str | None = None
