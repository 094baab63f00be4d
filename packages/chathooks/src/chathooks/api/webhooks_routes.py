"""Webhook management, below `/v3` and `/apps/{appId}` (rest-api.md B1, delivery contract §6, §7)."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from chathooks.api.paging import PageMeta, PageQuery, page_meta
from chathooks.api.problems import ErrorBody
from chathooks.api.routing import Answer, Call, Route
from chathooks.delivery.webhook_store import StoredWebhook
from chathooks.delivery.webhooks import (
    MAX_CONCURRENCY_DEFAULT,
    MAX_CONCURRENCY_MAX,
    ROTATION_OVERLAP_S_DEFAULT,
    ROTATION_OVERLAP_S_MAX,
    NewWebhook,
    WebhookPatch,
    Webhooks,
    trigger_names,
)
from chathooks.egress.guard import URL_CHARS_MAX
from chathooks.kernel.crypto import PASSWORD_MASK
from chathooks.kernel.errors import ChathooksError
from chathooks_events.catalog import TRIGGERS

WEBHOOK_ID_CHARS_MAX = 50
NAME_CHARS_MAX = 50
USERNAME_CHARS_MAX = 50
PASSWORD_CHARS_MAX = 100
TRIGGER_NAME_CHARS_MAX = 100
TRIGGERS_PER_CALL_MAX = 200

TAG = "Webhooks"
UNSET = msgspec.UNSET
Unset = msgspec.UnsetType

# `$` alone would let a line end pass behind the last character.
_END = r"$(?!\n)"
WebhookId = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=WEBHOOK_ID_CHARS_MAX, pattern=f"^[A-Za-z0-9_-]+{_END}"),
]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=URL_CHARS_MAX)]
Username = Annotated[str, msgspec.Meta(max_length=USERNAME_CHARS_MAX, pattern=f"^[ -9;-~]*{_END}")]
Password = Annotated[str, msgspec.Meta(max_length=PASSWORD_CHARS_MAX, pattern=f"^[ -~]*{_END}")]
Concurrency = Annotated[int, msgspec.Meta(ge=1, le=MAX_CONCURRENCY_MAX)]
Overlap = Annotated[int, msgspec.Meta(ge=0, le=ROTATION_OVERLAP_S_MAX)]
TriggerName = Annotated[str, msgspec.Meta(max_length=TRIGGER_NAME_CHARS_MAX)]
TriggerNames = Annotated[list[TriggerName], msgspec.Meta(max_length=TRIGGERS_PER_CALL_MAX)]


class CreateWebhook(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """A new webhook."""

    id: WebhookId
    name: Name
    webhook_url: Url = msgspec.field(name="webhookURL")
    use_basic_auth: bool = False
    username: Username = ""
    password: Password = ""
    enabled: bool = True
    retry_on_failure: bool = False
    ordered: bool = False
    max_concurrency: Concurrency = MAX_CONCURRENCY_DEFAULT
    triggers: TriggerNames = []


class UpdateWebhook(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Fields to change; absent ones stay as they are."""

    name: Name | Unset = UNSET
    webhook_url: Url | Unset = msgspec.field(name="webhookURL", default=UNSET)
    use_basic_auth: bool | Unset = UNSET
    username: Username | Unset = UNSET
    password: Password | Unset = UNSET
    enabled: bool | Unset = UNSET
    retry_on_failure: bool | Unset = UNSET
    ordered: bool | Unset = UNSET
    max_concurrency: Concurrency | Unset = UNSET


class TriggerIds(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Names of triggers."""

    trigger_ids: TriggerNames


class RotateSecret(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """How long the previous secret signs too, in seconds."""

    overlap_seconds: Overlap = ROTATION_OVERLAP_S_DEFAULT


class WebhookQuery(
    PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Query of the list of webhooks."""

    search_key: Annotated[str, msgspec.Meta(max_length=NAME_CHARS_MAX)] = ""


class Webhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """A webhook."""

    id: str
    name: str
    webhook_url: str = msgspec.field(name="webhookURL")
    use_basic_auth: bool
    username: str | Unset = UNSET
    password: str | Unset = UNSET
    """Always the mask."""
    enabled: bool
    retry_on_failure: bool
    ordered: bool
    max_concurrency: int
    triggers: list[str]
    secret: str | Unset = UNSET
    """The signing secret; only in the answer of a creation."""
    created_at: int
    updated_at: int


class WebhookTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger that a webhook gets; `id` is its name."""

    id: str
    name: str
    description: str
    category: str


class Success(msgspec.Struct, frozen=True):
    """A change that was made."""

    success: bool
    message: str


class ItemResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item of a batch."""

    success: bool
    message: str | Unset = UNSET
    error: ErrorBody | Unset = UNSET


class RotatedSecret(msgspec.Struct, frozen=True, rename="camel"):
    """A new signing secret, shown once, and when the previous one stops signing (unix ms)."""

    secret: str
    previous_expires_at: int


def webhook_answer(webhook: StoredWebhook, secret: str | None = None) -> Webhook:
    """A webhook as the API shows it."""
    return Webhook(
        id=webhook.id,
        name=webhook.name,
        webhook_url=webhook.url,
        use_basic_auth=webhook.use_basic_auth,
        username=webhook.username or UNSET,
        password=PASSWORD_MASK if webhook.password_sealed else UNSET,
        enabled=webhook.enabled,
        retry_on_failure=webhook.retry_on_failure,
        ordered=webhook.ordered,
        max_concurrency=webhook.max_concurrency,
        triggers=trigger_names(webhook.triggers),
        secret=secret or UNSET,
        created_at=webhook.created_at,
        updated_at=webhook.updated_at,
    )


def _results(answers: Mapping[str, ChathooksError | None], message: str) -> dict[str, ItemResult]:
    return {
        name: ItemResult(success=True, message=message)
        if error is None
        else ItemResult(
            success=False, error=ErrorBody(error.code, error.message, dict(error.details))
        )
        for name, error in answers.items()
    }


def _given(patch: UpdateWebhook) -> WebhookPatch:
    def value(field: str) -> object:
        found = getattr(patch, field)
        return None if found is UNSET else found

    fields = {name: value(name) for name in patch.__struct_fields__ if name != "webhook_url"}
    return WebhookPatch(url=value("webhook_url"), **fields)  # type: ignore[arg-type] # -- same field types


class WebhookRoutes:
    """Handlers of webhook management."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    def routes(self) -> list[Route]:
        """The calls of rest-api.md B1 and the rotation of delivery contract §6."""
        one = "/webhooks/{webhookId}"
        missing = ("ERR_WEBHOOK_NOT_FOUND",)
        return [
            Route(
                method="POST",
                path="/webhooks",
                handler=self.create,
                summary="Create a webhook",
                tag=TAG,
                answer=Webhook,
                body=CreateWebhook,
                errors=(
                    "ERR_WEBHOOK_ALREADY_EXISTS",
                    "ERR_PLAN_QUOTA_RESTRICTION",
                    "ERR_TRIGGER_NOT_FOUND",
                ),
                management=True,
            ),
            Route(
                method="GET",
                path="/webhooks",
                handler=self.list,
                summary="List webhooks",
                tag=TAG,
                answer=list[Webhook],
                meta=PageMeta,
                query=WebhookQuery,
                management=True,
            ),
            Route(
                method="GET",
                path=one,
                handler=self.get,
                summary="Get a webhook",
                tag=TAG,
                answer=Webhook,
                errors=missing,
                management=True,
            ),
            Route(
                method="PUT",
                path=one,
                handler=self.update,
                summary="Update a webhook",
                tag=TAG,
                answer=Webhook,
                body=UpdateWebhook,
                errors=missing,
                management=True,
            ),
            Route(
                method="DELETE",
                path=one,
                handler=self.delete,
                summary="Delete a webhook",
                tag=TAG,
                answer=Success,
                errors=missing,
                management=True,
            ),
            *self._trigger_routes(one, missing),
        ]

    def _trigger_routes(self, one: str, missing: tuple[str, ...]) -> list[Route]:
        return [
            Route(
                method="POST",
                path=f"{one}/triggers",
                handler=self.add_triggers,
                summary="Subscribe a webhook to triggers",
                tag=TAG,
                answer=dict[str, ItemResult],
                body=TriggerIds,
                errors=missing,
                management=True,
            ),
            Route(
                method="GET",
                path=f"{one}/triggers",
                handler=self.list_triggers,
                summary="List the triggers of a webhook",
                tag=TAG,
                answer=list[WebhookTrigger],
                meta=PageMeta,
                query=PageQuery,
                errors=missing,
                management=True,
            ),
            Route(
                method="DELETE",
                path=f"{one}/triggers",
                handler=self.remove_triggers,
                summary="Unsubscribe a webhook from triggers",
                tag=TAG,
                answer=dict[str, ItemResult],
                body=TriggerIds,
                errors=missing,
                management=True,
            ),
            Route(
                method="POST",
                path=f"{one}/secret/rotate",
                handler=self.rotate,
                summary="Make a new signing secret",
                tag=TAG,
                answer=RotatedSecret,
                body=RotateSecret,
                body_required=False,
                errors=missing,
                management=True,
            ),
        ]

    async def create(self, call: Call) -> Answer:
        """Make a webhook; the answer alone shows its signing secret."""
        body: CreateWebhook = call.body
        webhook, secret = await self._webhooks.create(
            call.app.key,
            NewWebhook(
                id=body.id,
                name=body.name,
                url=body.webhook_url,
                use_basic_auth=body.use_basic_auth,
                username=body.username,
                password=body.password,
                enabled=body.enabled,
                retry_on_failure=body.retry_on_failure,
                ordered=body.ordered,
                max_concurrency=body.max_concurrency,
                triggers=body.triggers,
            ),
        )
        return Answer(webhook_answer(webhook, secret))

    async def list(self, call: Call) -> Answer:
        """Webhooks of the app, page by page."""
        query: WebhookQuery = call.query
        found, total = await self._webhooks.page(
            call.app.key, query.search_key or None, query.offset, query.per_page
        )
        updated_at = found[-1].updated_at if found else None
        return Answer(
            [webhook_answer(webhook) for webhook in found],
            page_meta(query, total=total, count=len(found), updated_at=updated_at),
        )

    async def get(self, call: Call) -> Answer:
        """One webhook."""
        return Answer(
            webhook_answer(await self._webhooks.get(call.app.key, call.path["webhookId"]))
        )

    async def update(self, call: Call) -> Answer:
        """Change a webhook."""
        webhook = await self._webhooks.update(
            call.app.key, call.path["webhookId"], _given(call.body)
        )
        return Answer(webhook_answer(webhook))

    async def delete(self, call: Call) -> Answer:
        """Delete a webhook."""
        await self._webhooks.delete(call.app.key, call.path["webhookId"])
        return Answer(Success(True, "Deleted Webhook successfully."))

    async def add_triggers(self, call: Call) -> Answer:
        """Subscribe a webhook; answers per name."""
        answers = await self._webhooks.add_triggers(
            call.app.key, call.path["webhookId"], call.body.trigger_ids
        )
        return Answer(_results(answers, "Triggers has been added successfully."))

    async def list_triggers(self, call: Call) -> Answer:
        """Triggers of a webhook, page by page."""
        query: PageQuery = call.query
        webhook = await self._webhooks.get(call.app.key, call.path["webhookId"])
        triggers = [TRIGGERS[name] for name in trigger_names(webhook.triggers)]
        page = triggers[query.offset : query.offset + query.per_page]
        return Answer(
            [
                WebhookTrigger(
                    id=trigger.name,
                    name=trigger.name,
                    description=trigger.description,
                    category=trigger.category,
                )
                for trigger in page
            ],
            page_meta(
                query,
                total=len(triggers),
                count=len(page),
                updated_at=webhook.updated_at if page else None,
            ),
        )

    async def remove_triggers(self, call: Call) -> Answer:
        """Unsubscribe a webhook; answers per name."""
        answers = await self._webhooks.remove_triggers(
            call.app.key, call.path["webhookId"], call.body.trigger_ids
        )
        return Answer(_results(answers, "Removed trigger successfully."))

    async def rotate(self, call: Call) -> Answer:
        """Make a new signing secret."""
        body: RotateSecret = call.body or RotateSecret()
        rotated = await self._webhooks.rotate(
            call.app.key, call.path["webhookId"], body.overlap_seconds
        )
        return Answer(RotatedSecret(rotated.secret, rotated.previous_expires_at))
