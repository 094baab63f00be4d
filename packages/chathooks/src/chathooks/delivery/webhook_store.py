"""What webhook management asks of a store."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Protocol

from chathooks.events.outbox import OutboxTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWebhook:
    """A webhook with everything that is stored of it; secrets are sealed."""

    lane: int
    app: int
    id: str
    name: str
    url: str
    use_basic_auth: bool
    username: str | None
    password_sealed: bytes | None = field(repr=False)
    enabled: bool
    retry_on_failure: bool
    ordered: bool
    max_concurrency: int
    secret_sealed: bytes = field(repr=False)
    previous_secret_sealed: bytes | None = field(repr=False)
    previous_expires_at: int | None
    """Unix ms."""
    created_at: int
    """Unix seconds, as the next two."""
    updated_at: int
    deleted_at: int | None
    triggers: frozenset[int]
    """Numbers of the catalog."""


class WebhookTransaction(OutboxTransaction, Protocol):
    """The port of webhook management."""

    async def find_webhook(self, app: int, webhook_id: str) -> StoredWebhook | None:
        """The webhook with this id, deleted or not."""

    async def list_webhooks(
        self, app: int, search: str | None, offset: int, limit: int
    ) -> list[StoredWebhook]:
        """Those not deleted whose name holds `search`, in the order they were made."""

    async def count_webhooks(self, app: int, search: str | None) -> int: ...
    async def insert_webhook(self, webhook: StoredWebhook) -> int:
        """Store a new webhook without its triggers; answers its lane."""

    async def update_webhook(self, webhook: StoredWebhook) -> None:
        """Overwrite all of a lane's row but its app and id."""

    async def set_triggers(self, lane: int, triggers: Set[int]) -> None: ...
