"""The composition root: the only place that names adapters. Plain calls, in the order of the layers."""

import asyncio
import contextlib
import resource
from collections.abc import Callable
from pathlib import Path

import structlog

from chathooks import __version__
from chathooks.adapters.nats import looking as nats_looking
from chathooks.adapters.nats.looking import LookedNats
from chathooks.adapters.notify.apprise_notifier import AppriseNotifier
from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.looking import Looked, look
from chathooks.adapters.postgres.migrating import PostgresSchema
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.adapters.postgres.tables import PostgresTables
from chathooks.adapters.sqlite.migrating import SqliteSchema
from chathooks.adapters.sqlite.statements import migrations
from chathooks.adapters.sqlite.store import COMPATIBLE_FROM, SqliteStore
from chathooks.adapters.sqlite.tables import SqliteTables
from chathooks.api.build import build_api, build_probes
from chathooks.api.rate_limits import RateLimits
from chathooks.api.server import Listen
from chathooks.app.anchor import AnchorKeeper, anchored_clock
from chathooks.app.cluster import make_node, node_name_of, open_bell
from chathooks.app.cluster_clock import ClusterAnchorKeeper, cluster_clock
from chathooks.app.copying import Step, copy_store
from chathooks.app.runtime import AnyStore, Keeper, Runtime
from chathooks.app.schedules import Schedules
from chathooks.app.secrets import (
    CREDENTIALS_FILE,
    alone_in,
    given_credentials,
    prove_key,
    secret_box,
)
from chathooks.app.services import Services, own_schedules, shared_schedules
from chathooks.app.settings import Settings, refuse
from chathooks.apps.access import Access
from chathooks.apps.bootstrap import bootstrap
from chathooks.apps.records import Credentials
from chathooks.delivery.alerting import Alerting
from chathooks.delivery.alerts import Thresholds
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.engine import Engine
from chathooks.delivery.lanes import ATTEMPTS_IN_FLIGHT_HARD_MAX
from chathooks.delivery.node import Node
from chathooks.delivery.supervision import Supervision
from chathooks.egress.client import EgressClient
from chathooks.egress.guard import TargetPolicy
from chathooks.egress.resolver import Resolver
from chathooks.kernel.clock import Clock, SystemClock
from chathooks.kernel.crypto import SecretBox
from chathooks.kernel.errors import StartRefused
from chathooks.kernel.ids import RandomBytes, system_random
from chathooks.kernel.news import News

STORE_FILE = "chathooks.sqlite3"
SCHEMA_COMPATIBLE_FROM = COMPATIBLE_FROM
"""Name of the store's fact that says which programs can work on it."""
FILES_SPARE = 1_000
"""File descriptors left for the API, the store and logs beside the attempts in flight."""
_MS_PER_S = 1000
_MS_PER_HOUR = 3_600_000

log = structlog.get_logger("server")


def _refuse_what_is_not_served(settings: Settings) -> None:
    wrong = settings.contradictions()
    if settings.media_url is not None:
        wrong["CHATHOOKS_MEDIA_URL"] = "this version serves no media"
    refuse(wrong)


def _allow_files() -> int:
    """Raise the limit of open files as far as it goes; answers the attempts it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ATTEMPTS_IN_FLIGHT_HARD_MAX + 2 * FILES_SPARE
    if soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, raised), hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(64, min(ATTEMPTS_IN_FLIGHT_HARD_MAX, soft - FILES_SPARE))


def target_policy(settings: Settings) -> TargetPolicy:
    """What webhooks may reach, as the operator allows."""
    return TargetPolicy(
        allowed_networks=settings.allow_target_networks, allow_http=settings.allow_http_targets
    )


def _listen(settings: Settings) -> Listen:
    return Listen(
        host=settings.host,
        port=settings.port,
        tls_cert_file=settings.tls_cert_file,
        tls_key_file=settings.tls_key_file,
        trusted_proxies=[str(network) for network in settings.trusted_proxies],
    )


def newest_schema() -> int:
    """Version of the schema that a start brings a store to."""
    return migrations()[-1].number


def database(settings: Settings) -> Database | None:
    """The PostgreSQL database of the settings; None where the store is SQLite's."""
    if settings.database_url is None:
        return None
    return Database(
        url=settings.database_url,
        ca_file=settings.database_ca_file,
        read_connections_max=settings.database_connections,
        connect_timeout_s=settings.database_connect_timeout,
        statement_timeout_s=settings.database_statement_timeout,
    )


async def open_store(settings: Settings, news: News | None = None) -> AnyStore:
    """The store that the settings name, for this process alone or shared with others. Raises StartRefused.

    Args:
        settings: of the server.
        news: told of commits; the store's own where None.
    """
    shared = database(settings)
    if shared is None:
        return await SqliteStore.open(settings.data_dir / STORE_FILE, news)
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartRefused(
            "ERR_DATA_DIR",
            f"{settings.data_dir} cannot be used ({error.strerror}). Choose a folder that this "
            "user may write to with CHATHOOKS_DATA_DIR or --data-dir.",
        ) from None
    if settings.in_cluster:
        return await PostgresStore.join(shared, name=node_name_of(settings), news=news or News())
    return await PostgresStore.open(shared, news)


def schema(settings: Settings) -> SqliteSchema | PostgresSchema:
    """The schema of the store that the settings name: where it stands, and its migrations."""
    shared = database(settings)
    if shared is None:
        return SqliteSchema(settings.data_dir / STORE_FILE)
    return PostgresSchema(shared)


async def look_at_database(settings: Settings) -> Looked | None:
    """What is found in the settings' database; None where the store is SQLite's. Raises StartRefused."""
    shared = database(settings)
    return None if shared is None else await look(shared)


async def look_at_nats(settings: Settings) -> LookedNats | None:
    """What is found at the settings' NATS; None where none is named. Raises StartRefused."""
    if settings.nats_url is None:
        return None
    return await nats_looking.look(settings.nats_url, ca_file=settings.nats_ca_file)


async def copy_to_database(path: Path, settings: Settings, tell: Callable[[Step], None]) -> int:
    """Copy the SQLite store at `path` into the settings' database; answers how many rows. Raises StartRefused."""
    shared = database(settings)
    if shared is None:
        raise StartRefused(
            "ERR_SETTINGS", "Say where to: --to postgresql://user:password@host/database."
        )
    with SqliteTables(path) as source:
        target = await PostgresTables.open(shared)
        try:
            return await copy_store(source, target, tell)
        finally:
            await target.close()


async def build(settings: Settings, *, random: RandomBytes = system_random) -> Runtime:
    """Open the store and put the server together.

    Raises:
        StartRefused: it cannot start as configured; nothing is left open.
    """
    _refuse_what_is_not_served(settings)
    notifier = await _notifier(settings)
    connections_max = _allow_files()
    news = News()
    store = await open_store(settings, news)
    try:
        box = secret_box(settings, random)
        await prove_key(store, box)
        clock = await _clock(store, settings)
        credentials = await _first_app(settings, store, clock, random)
        bell = await open_bell(settings, store, news, clock, random)
    except BaseException:
        await store.close()
        raise
    policy = target_policy(settings)
    resolver = Resolver()
    client = _egress(settings, policy, resolver, connections_max)
    services = Services.on(settings, store, clock, random, box, policy, client)
    shared = shared_schedules(settings, store, clock, services)
    delivering = _delivering(settings, store, news, shared, clock, client, box, policy)
    supervision = None
    if delivering is not None:
        supervision = _supervision(settings, store, clock, delivering, notifier)
    anchor = _anchor(store, clock, settings)
    return Runtime(
        settings=settings,
        store=store,
        clock=clock,
        resolver=resolver,
        client=client,
        api=_api(settings, store, clock, services),
        listen=_listen(settings),
        own_schedules=own_schedules(settings, store, clock, anchor, supervision),
        shared_schedules=shared,
        supervision=supervision,
        upkeep=services.chat.upkeep,
        app_deletion=services.tenancy.deletion,
        anchor=anchor,
        credentials=credentials,
        delivering=delivering,
        bell=bell,
        notifier=notifier,
    )


async def _clock(store: AnyStore, settings: Settings) -> SystemClock:
    if settings.in_cluster and isinstance(store, PostgresStore):
        return await cluster_clock(store)
    return await anchored_clock(store)


def _anchor(store: AnyStore, clock: Clock, settings: Settings) -> Keeper:
    if settings.in_cluster and isinstance(store, PostgresStore):
        return ClusterAnchorKeeper(store, clock)
    return AnchorKeeper(store, clock)


def _delivering(
    settings: Settings,
    store: AnyStore,
    news: News,
    shared: Schedules,
    clock: Clock,
    client: EgressClient,
    box: SecretBox,
    policy: TargetPolicy,
) -> Engine | Node | None:
    """What delivers in this process; None where it has another role."""
    limits = _engine_limits(settings)
    shared_database = database(settings)
    if settings.role == "api":
        return None
    if settings.in_cluster and shared_database is not None:
        return make_node(
            node_name_of(settings),
            shared_database,
            news,
            shared,
            clock=clock,
            client=client,
            box=box,
            targets=policy,
            limits=limits,
        )
    return Engine(store=store, clock=clock, client=client, box=box, targets=policy, limits=limits)


def _api(settings: Settings, store: AnyStore, clock: Clock, services: Services) -> object:
    """What is served over HTTP: the API, or a few pages for the operator."""
    access = Access(store)
    local_metrics = settings.public_url is None and not settings.trusted_proxies

    async def ready() -> None:
        await store.read(lambda tx: tx.ping())

    if settings.role == "delivery":
        return build_probes(access=access, ready=ready, local_metrics=local_metrics)
    return build_api(
        services.routes(store, clock),
        access=access,
        ready=ready,
        local_metrics=local_metrics,
        rate_limits=_rate_limits(settings, clock),
    )


async def _first_app(
    settings: Settings, store: AnyStore, clock: Clock, random: RandomBytes
) -> Credentials | None:
    """Make the app of an empty store; a later start leaves keys and their file alone."""
    if settings.role == "delivery" or await store.read(lambda tx: tx.has_apps()):
        return None
    path = settings.data_dir / CREDENTIALS_FILE
    async with alone_in(settings.data_dir):
        existed = path.exists()
        given = given_credentials(settings, random)
        made = await bootstrap(store, random=random, now_ms=clock.wall_ms(), given=given)
        if made is None and not existed:
            path.unlink(missing_ok=True)  # another process was first: these keys open nothing
        return made


async def _notifier(settings: Settings) -> AppriseNotifier | None:
    # Opening blocks: Apprise is imported and loads its services.
    if not settings.alert_urls:
        return None
    return await asyncio.to_thread(AppriseNotifier.open, settings.alert_urls)


def _rate_limits(settings: Settings, clock: Clock) -> RateLimits:
    return RateLimits(clock, core=settings.rate_limit_core, standard=settings.rate_limit_standard)


def _supervision(
    settings: Settings,
    store: AnyStore,
    clock: Clock,
    engine: Engine | Node,
    notifier: AppriseNotifier | None,
) -> Supervision:
    thresholds = Thresholds(
        lag_ms=settings.alert_lag_seconds * _MS_PER_S, failures=settings.alert_failures
    )
    alerting = Alerting(store, clock, engine.health, thresholds, notifier)
    return Supervision(store, clock, engine, alerting)


def _egress(
    settings: Settings, policy: TargetPolicy, resolver: Resolver, connections_max: int
) -> EgressClient:
    return EgressClient(
        policy,
        resolver=resolver,
        user_agent=f"Chathooks/{__version__}",
        ca_file=None if settings.target_ca_file is None else str(settings.target_ca_file),
        connections_max=connections_max,
    )


def _engine_limits(settings: Settings) -> EngineLimits:
    return EngineLimits(
        timeout_s=settings.request_timeout,
        retry_schedule_ms=tuple(int(delay * _MS_PER_S) for delay in settings.retry_schedule),
        expiry_ms=settings.delivery_expiry_hours * _MS_PER_HOUR,
        backlog_max=settings.backlog_limit,
    )
