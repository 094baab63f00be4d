"""Webhooks: made, changed, subscribed, deleted; their secrets made and rotated.

Every change writes the row that attempts use, appends the webhook's new state to the feed, so that fan-out
applies it in feed order (delivery contract §3.1), and tells the engine after the commit: all in one command.

A deleted webhook keeps its row: its log stays readable, and one made again under the same id goes on counting
in the same lane (delivery contract §7 "Counters"). Secrets are sealed before they reach the store (§4).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chathooks.delivery.payload import password_context, secret_context
from chathooks.delivery.records import WebhookChange
from chathooks.delivery.webhook_store import StoredWebhook, WebhookTransaction
from chathooks.egress.guard import TargetPolicy, TargetRefused, parse_target
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.crypto import PASSWORD_MASK, SecretBox
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import RandomBytes
from chathooks.kernel.transactions import Store, Topic
from chathooks_events.catalog import TRIGGERS, trigger_by_number
from chathooks_events.signing import generate_secret

WEBHOOKS_PER_APP = 25
"""Unless the operator sets another limit (rest-api.md B1)."""
MAX_CONCURRENCY_DEFAULT = 64
MAX_CONCURRENCY_MAX = 1000
ROTATION_OVERLAP_S_DEFAULT = 86_400
ROTATION_OVERLAP_S_MAX = 30 * 86_400
DELETED_AT_ONCE = 100
"""Webhooks read at once when all of an app are deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """What a webhook is made from."""

    id: str
    name: str
    url: str
    use_basic_auth: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    enabled: bool = True
    retry_on_failure: bool = False
    ordered: bool = False
    max_concurrency: int = MAX_CONCURRENCY_DEFAULT
    triggers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPatch:
    """What a webhook is to become; None leaves a field as it is."""

    name: str | None = None
    url: str | None = None
    use_basic_auth: bool | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    enabled: bool | None = None
    retry_on_failure: bool | None = None
    ordered: bool | None = None
    max_concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new signing secret, shown once."""

    secret: str = field(repr=False)
    previous_expires_at: int
    """Unix ms until which the previous secret signs too."""


def _not_found(webhook_id: str) -> ChathooksError:
    return ChathooksError(
        "ERR_WEBHOOK_NOT_FOUND", f"There is no webhook {webhook_id!r} in this app."
    )


def unknown_trigger(name: str) -> ChathooksError:
    """ERR_TRIGGER_NOT_FOUND, naming the trigger."""
    return ChathooksError(
        "ERR_TRIGGER_NOT_FOUND",
        f"There is no trigger {name!r}; GET /v3/triggers lists them all.",
        {"triggers": f"{name} is unknown"},
    )


def trigger_names(numbers: Iterable[int]) -> list[str]:
    """Names of stored triggers, in the order of the catalog."""
    return [trigger_by_number(number).name for number in sorted(numbers)]


def _numbers(names: Iterable[str]) -> frozenset[int]:
    numbers = set()
    for name in names:
        if name not in TRIGGERS:
            raise unknown_trigger(name)
        numbers.add(TRIGGERS[name].number)
    return frozenset(numbers)


def _check_basic_auth(webhook: StoredWebhook) -> None:
    if not webhook.use_basic_auth:
        return
    missing = {
        name: "is required with useBasicAuth"
        for name, value in (("username", webhook.username), ("password", webhook.password_sealed))
        if not value
    }
    if missing:
        raise ChathooksError(
            "ERR_BAD_REQUEST",
            f"useBasicAuth needs username and password; {' and '.join(missing)} is missing.",
            missing,
        )


class Webhooks:
    """The webhooks of all apps."""

    def __init__(
        self,
        store: Store[WebhookTransaction],
        outbox: Outbox,
        clock: Clock,
        random: RandomBytes,
        box: SecretBox,
        policy: TargetPolicy,
        *,
        webhooks_per_app: int = WEBHOOKS_PER_APP,
    ) -> None:
        """
        Args:
            store: where webhooks are kept.
            outbox: what their changes are appended to.
            clock: dates changes.
            random: source of signing secrets.
            box: seals passwords and secrets.
            policy: which URLs the operator allows.
            webhooks_per_app: the limit, deleted ones not counted.
        """
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._random = random
        self._box = box
        self._policy = policy
        self._webhooks_per_app = webhooks_per_app

    # -- reading -----------------------------------------------------------------------------------------

    async def get(self, app: int, webhook_id: str) -> StoredWebhook:
        """One webhook. Raises ERR_WEBHOOK_NOT_FOUND."""

        async def query(tx: WebhookTransaction) -> StoredWebhook:
            return await _live(tx, app, webhook_id)

        return await self._store.read(query)

    async def page(
        self, app: int, search: str | None, offset: int, limit: int
    ) -> tuple[list[StoredWebhook], int]:
        """Webhooks in the order they were made, and how many there are.

        Args:
            app: key of the app.
            search: text that the name holds, whatever its case; None for all.
            offset: webhooks to leave out first.
            limit: how many at most.
        """

        async def query(tx: WebhookTransaction) -> tuple[list[StoredWebhook], int]:
            return (
                await tx.list_webhooks(app, search, offset, limit),
                await tx.count_webhooks(app, search),
            )

        return await self._store.read(query)

    # -- changing ----------------------------------------------------------------------------------------

    async def create(self, app: int, new: NewWebhook) -> tuple[StoredWebhook, str]:
        """Make a webhook; answers it and its signing secret, which is shown this once.

        Raises:
            ChathooksError: ERR_BAD_REQUEST, ERR_TRIGGER_NOT_FOUND, ERR_WEBHOOK_ALREADY_EXISTS,
                ERR_PLAN_QUOTA_RESTRICTION; nothing was made.
        """
        self._check_url(new.url)
        secret = generate_secret(self._random)
        now_s = self._now_s()
        webhook = StoredWebhook(
            lane=0,
            app=app,
            id=new.id,
            name=new.name,
            url=new.url,
            use_basic_auth=new.use_basic_auth,
            username=new.username or None,
            password_sealed=self._seal_password(app, new.id, new.password),
            enabled=new.enabled,
            retry_on_failure=new.retry_on_failure,
            ordered=new.ordered,
            max_concurrency=new.max_concurrency,
            secret_sealed=self._box.seal(secret, secret_context(app, new.id)),
            previous_secret_sealed=None,
            previous_expires_at=None,
            created_at=now_s,
            updated_at=now_s,
            deleted_at=None,
            triggers=_numbers(new.triggers),
        )
        _check_basic_auth(webhook)

        async def command(tx: WebhookTransaction) -> StoredWebhook:
            existing = await tx.find_webhook(app, new.id)
            if existing is not None and existing.deleted_at is None:
                raise ChathooksError(
                    "ERR_WEBHOOK_ALREADY_EXISTS",
                    f"There is a webhook {new.id!r} already; choose another id or update it.",
                    {"id": "is taken"},
                )
            if await tx.count_webhooks(app, None) >= self._webhooks_per_app:
                raise ChathooksError(
                    "ERR_PLAN_QUOTA_RESTRICTION",
                    f"The app has {self._webhooks_per_app} webhooks, which is the limit; delete one first.",
                )
            if existing is None:
                made = replace(webhook, lane=await tx.insert_webhook(webhook))
            else:
                made = replace(webhook, lane=existing.lane)
                await tx.update_webhook(made)
            await tx.set_triggers(made.lane, made.triggers)
            await self._announce(tx, made)
            return made

        return await self._store.write(command), secret

    async def update(self, app: int, webhook_id: str, patch: WebhookPatch) -> StoredWebhook:
        """Change a webhook. Raises ERR_WEBHOOK_NOT_FOUND, ERR_BAD_REQUEST; nothing was changed then."""
        if patch.url is not None:
            self._check_url(patch.url)
        sealed: bytes | None = None
        if patch.password is not None and patch.password != PASSWORD_MASK:
            sealed = self._seal_password(app, webhook_id, patch.password)

        def apply(old: StoredWebhook) -> StoredWebhook:
            keep_password = patch.password is None or patch.password == PASSWORD_MASK
            new = replace(
                old,
                name=old.name if patch.name is None else patch.name,
                url=old.url if patch.url is None else patch.url,
                use_basic_auth=_either(patch.use_basic_auth, old.use_basic_auth),
                username=old.username if patch.username is None else patch.username or None,
                password_sealed=old.password_sealed if keep_password else sealed,
                enabled=_either(patch.enabled, old.enabled),
                retry_on_failure=_either(patch.retry_on_failure, old.retry_on_failure),
                ordered=_either(patch.ordered, old.ordered),
                max_concurrency=patch.max_concurrency or old.max_concurrency,
            )
            _check_basic_auth(new)
            return new

        return await self._change(app, webhook_id, apply)

    async def delete(self, app: int, webhook_id: str) -> None:
        """Delete a webhook. Raises ERR_WEBHOOK_NOT_FOUND."""
        now_s = self._now_s()
        await self._change(app, webhook_id, lambda old: replace(old, deleted_at=now_s))

    async def delete_all(self, tx: WebhookTransaction, app: int) -> None:
        """Delete every webhook of an app, as part of a transaction of the caller's."""
        now_s = self._now_s()
        while found := await tx.list_webhooks(app, None, 0, DELETED_AT_ONCE):
            for webhook in found:
                gone = replace(webhook, deleted_at=now_s, updated_at=now_s)
                await tx.update_webhook(gone)
                await self._announce(tx, gone)

    async def add_triggers(
        self, app: int, webhook_id: str, names: Sequence[str]
    ) -> Mapping[str, ChathooksError | None]:
        """Subscribe; answers per name what is wrong with it, or None. Raises ERR_WEBHOOK_NOT_FOUND."""
        return await self._subscribe(app, webhook_id, names, frozenset.union)

    async def remove_triggers(
        self, app: int, webhook_id: str, names: Sequence[str]
    ) -> Mapping[str, ChathooksError | None]:
        """Unsubscribe; answers per name what is wrong with it, or None. Raises ERR_WEBHOOK_NOT_FOUND."""
        return await self._subscribe(app, webhook_id, names, frozenset.difference)

    async def rotate(self, app: int, webhook_id: str, overlap_s: int) -> Rotated:
        """Make a new signing secret; the previous one signs too for `overlap_s` seconds.

        Raises:
            ChathooksError: ERR_WEBHOOK_NOT_FOUND.
        """
        secret = generate_secret(self._random)
        sealed = self._box.seal(secret, secret_context(app, webhook_id))
        expires_at = self._clock.wall_ms() + overlap_s * MS_PER_S
        await self._change(
            app,
            webhook_id,
            lambda old: replace(
                old,
                secret_sealed=sealed,
                previous_secret_sealed=old.secret_sealed,
                previous_expires_at=expires_at,
            ),
        )
        return Rotated(secret, expires_at)

    async def _subscribe(
        self,
        app: int,
        webhook_id: str,
        names: Sequence[str],
        combine: Callable[[frozenset[int], frozenset[int]], frozenset[int]],
    ) -> Mapping[str, ChathooksError | None]:
        answers = {name: None if name in TRIGGERS else unknown_trigger(name) for name in names}
        known = _numbers(name for name, error in answers.items() if error is None)
        await self._change(
            app, webhook_id, lambda old: replace(old, triggers=combine(old.triggers, known))
        )
        return answers

    async def _change(
        self, app: int, webhook_id: str, apply: Callable[[StoredWebhook], StoredWebhook]
    ) -> StoredWebhook:
        now_s = self._now_s()

        async def command(tx: WebhookTransaction) -> StoredWebhook:
            old = await _live(tx, app, webhook_id)
            new = replace(apply(old), updated_at=now_s)
            await tx.update_webhook(new)
            if new.triggers != old.triggers:
                await tx.set_triggers(new.lane, new.triggers)
            await self._announce(tx, new)
            return new

        return await self._store.write(command)

    async def _announce(self, tx: WebhookTransaction, webhook: StoredWebhook) -> None:
        change = WebhookChange(
            lane=webhook.lane,
            webhook_id=webhook.id,
            enabled=webhook.enabled,
            deleted=webhook.deleted_at is not None,
            ordered=webhook.ordered,
            triggers=tuple(sorted(webhook.triggers)),
        )
        await self._outbox.append_webhook_change(tx, app=webhook.app, change=change)
        tx.notify(Topic.WEBHOOK, webhook.lane)

    def _check_url(self, url: str) -> None:
        try:
            parse_target(url, self._policy)
        except TargetRefused as refused:
            raise ChathooksError(
                "ERR_BAD_REQUEST",
                f"This webhookURL cannot be used: {refused.message}",
                {"webhookURL": refused.message, "rule": refused.rule},
            ) from None

    def _seal_password(self, app: int, webhook_id: str, password: str | None) -> bytes | None:
        if not password:
            return None
        if password == PASSWORD_MASK:
            raise ChathooksError(
                "ERR_BAD_REQUEST",
                "This password is the mask that passwords are shown as; send the password itself.",
                {"password": "is the mask"},
            )
        return self._box.seal(password, password_context(app, webhook_id))

    def _now_s(self) -> int:
        return self._clock.wall_ms() // MS_PER_S


def _either(new: bool | None, old: bool) -> bool:
    return old if new is None else new


async def _live(tx: WebhookTransaction, app: int, webhook_id: str) -> StoredWebhook:
    found = await tx.find_webhook(app, webhook_id)
    if found is None or found.deleted_at is not None:
        raise _not_found(webhook_id)
    return found
