"""The port of webhook management on PostgreSQL, and what attempts read of a webhook."""

from collections.abc import Set
from typing import Any

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.delivery.queue import WebhookRow
from chathooks.delivery.webhook_store import StoredWebhook

_SQL = statements("webhooks.sql")


def _columns(webhook: StoredWebhook) -> tuple[Any, ...]:
    return (
        webhook.name,
        webhook.url,
        int(webhook.use_basic_auth),
        webhook.username,
        webhook.password_sealed,
        int(webhook.enabled),
        int(webhook.retry_on_failure),
        int(webhook.ordered),
        webhook.max_concurrency,
        webhook.secret_sealed,
        webhook.previous_secret_sealed,
        webhook.previous_expires_at,
        webhook.created_at,
        webhook.updated_at,
        webhook.deleted_at,
    )


class WebhooksPart(TransactionPart):
    """See `chathooks.delivery.webhook_store.WebhookTransaction` and `DeliveryTransaction.webhook_config`."""

    async def _webhook(self, row: Any) -> StoredWebhook:
        triggers = await self._all(_SQL["triggers_of"], (row[0],))
        return StoredWebhook(
            lane=row[0],
            app=row[1],
            id=row[2],
            name=row[3],
            url=row[4],
            use_basic_auth=bool(row[5]),
            username=row[6],
            password_sealed=row[7],
            enabled=bool(row[8]),
            retry_on_failure=bool(row[9]),
            ordered=bool(row[10]),
            max_concurrency=row[11],
            secret_sealed=row[12],
            previous_secret_sealed=row[13],
            previous_expires_at=row[14],
            created_at=row[15],
            updated_at=row[16],
            deleted_at=row[17],
            triggers=frozenset(number for (number,) in triggers),
        )

    async def find_webhook(self, app: int, webhook_id: str) -> StoredWebhook | None:
        row = await self._one(_SQL["find_webhook"], (app, webhook_id))
        return None if row is None else await self._webhook(row)

    async def list_webhooks(
        self, app: int, search: str | None, offset: int, limit: int
    ) -> list[StoredWebhook]:
        rows = await self._all(_SQL["list_webhooks"], (app, search, offset, limit))
        return [await self._webhook(row) for row in rows]

    async def count_webhooks(self, app: int, search: str | None) -> int:
        return int((await self._one(_SQL["count_webhooks"], (app, search)))[0])

    async def insert_webhook(self, webhook: StoredWebhook) -> int:
        parameters = (*_columns(webhook), webhook.app, webhook.id)
        (lane,) = await self._one(_SQL["insert_webhook"], parameters)
        return int(lane)

    async def update_webhook(self, webhook: StoredWebhook) -> None:
        await self._run(_SQL["update_webhook"], (*_columns(webhook), webhook.lane))

    async def set_triggers(self, lane: int, triggers: Set[int]) -> None:
        await self._run(_SQL["clear_triggers"], (lane,))
        await self._run(_SQL["add_trigger"], (lane, sorted(triggers)))

    async def webhook_config(self, lane: int) -> WebhookRow | None:
        row = await self._one(_SQL["webhook_config"], (lane,))
        if row is None:
            return None
        config = WebhookRow._make(row)
        return config._replace(
            use_basic_auth=bool(config.use_basic_auth),
            enabled=bool(config.enabled),
            deleted=bool(config.deleted),
            retry_on_failure=bool(config.retry_on_failure),
            ordered=bool(config.ordered),
        )
