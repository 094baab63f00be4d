"""What `chathooks doctor` finds of PostgreSQL and NATS. Nothing here looks by itself: it judges what was found."""

from collections.abc import Sequence
from itertools import groupby

from chathooks.adapters.nats.looking import LookedNats
from chathooks.adapters.postgres.looking import Looked, SeenSeat
from chathooks.app.cluster import connections_needed
from chathooks.app.findings import Check
from chathooks.app.settings import Settings
from chathooks.delivery.shares import LANE_SHARES

CLOCK_DIFFERENCE_MS_MAX = 1_000
SEATS_OF_NODE_MAX = 2
"""One of commands, one of lanes."""
_MS_PER_S = 1_000


def database_checks(looked: Looked, settings: Settings) -> list[Check]:
    """What there is to say of the database."""
    missing = ", ".join(looked.missing)
    checks = [
        Check(
            name="store",
            state="failed" if missing else "ok",
            message=f"{looked.where} is PostgreSQL {looked.server_version}"
            + (f" and lacks migrations: {missing}." if missing else ", its schema is up to date."),
            advice="chathooks migrate apply" if missing else "",
        ),
        _durability(looked),
        _connections(looked, connections_needed(settings)),
        _database_clock(looked.ahead_ms),
    ]
    checks += node_checks(looked.seats, settings)
    if settings.secret_key is None:
        checks.append(
            Check(
                name="secret key",
                state="failed",
                message="With PostgreSQL the secret key must be given.",
                advice="Set CHATHOOKS_SECRET_KEY, the same on every machine.",
            )
        )
    if settings.database_ca_file is not None and not looked.encrypted:
        checks.append(
            Check(name="database TLS", state="failed", message="The connection is not encrypted.")
        )
    return checks


def _durability(looked: Looked) -> Check:
    off = [
        name
        for name, on in (("fsync", looked.fsync), ("full_page_writes", looked.full_page_writes))
        if not on
    ]
    if off:
        return Check(
            name="durability",
            state="failed",
            message=f"PostgreSQL runs with {' and '.join(f'{name} = off' for name in off)}: a loss of power may "
            "damage all of it.",
            advice=f"Set {' and '.join(f'{name} = on' for name in off)} in postgresql.conf.",
        )
    return Check(
        name="durability",
        state="ok",
        message=f"fsync and full_page_writes are on, synchronous_commit is {looked.synchronous_commit} for "
        "Chathooks' sessions.",
    )


def _connections(looked: Looked, needed: int) -> Check:
    room = looked.connections_max - looked.connections
    message = f"This process takes up to {needed}; {looked.connections} of {looked.connections_max} are taken now"
    if needed > looked.connections_max:
        return Check(
            name="database connections",
            state="failed",
            message=f"{message}.",
            advice="Raise max_connections in postgresql.conf, or lower CHATHOOKS_DATABASE_CONNECTIONS.",
        )
    if needed > room:
        return Check(
            name="database connections",
            state="warning",
            message=f"{message}, which leaves {max(0, room)}.",
            advice="Unless they are this very process's, raise max_connections in postgresql.conf, or lower "
            "CHATHOOKS_DATABASE_CONNECTIONS.",
        )
    return Check(name="database connections", state="ok", message=f"{message}.")


def _database_clock(ahead_ms: int) -> Check:
    seconds = abs(ahead_ms) / _MS_PER_S
    if abs(ahead_ms) <= CLOCK_DIFFERENCE_MS_MAX:
        return Check(
            name="database clock",
            state="ok",
            message=f"It and this machine's clock are less than {CLOCK_DIFFERENCE_MS_MAX / _MS_PER_S:g} s apart.",
        )
    return Check(
        name="database clock",
        state="warning",
        message=f"It is {seconds:.1f} s {'ahead of' if ahead_ms > 0 else 'behind'} this machine's clock.",
        advice="Let NTP keep the time on both machines: times in the API and in signatures are this machine's.",
    )


def node_checks(seats: Sequence[SeenSeat], settings: Settings) -> list[Check]:
    """What there is to say of the nodes that share the store."""
    if not seats:
        return []
    checks = [
        _node(name, list(of_node)) for name, of_node in groupby(seats, key=lambda seat: seat.name)
    ]
    if not settings.in_cluster:
        checks.append(
            Check(
                name="nodes",
                state="failed",
                message="Other processes share this store; with these settings a process would want it for itself.",
                advice="Set CHATHOOKS_NATS_URL as they have it.",
            )
        )
    elif not any(seat.works and seat.beats for seat in seats):
        checks.append(
            Check(
                name="nodes",
                state="warning",
                message="No node delivers.",
                advice="Start one with CHATHOOKS_ROLE=delivery or all.",
            )
        )
    elif not any(seat.leads for seat in seats):
        checks.append(
            Check(
                name="nodes",
                state="warning",
                message="No node leads at this moment, so nothing new is delivered.",
                advice="Look again: another takes the lead within 10 s.",
            )
        )
    return checks


def _node(name: str, seats: Sequence[SeenSeat]) -> Check:
    shares = sum(seat.shares for seat in seats)
    does = f"delivers for {shares} of {LANE_SHARES} shares" if shares else "serves the API"
    if not shares and any(seat.works for seat in seats):
        does = "delivers for no share yet"
    if any(seat.leads for seat in seats):
        does += ", and leads"
    if len(seats) > SEATS_OF_NODE_MAX:
        return Check(
            name=f"node {name}",
            state="warning",
            message=f"It {does}; several processes have this name.",
            advice="Give each a CHATHOOKS_NODE_NAME of its own, so that you can tell them apart.",
        )
    if not all(seat.beats for seat in seats):
        return Check(
            name=f"node {name}",
            state="warning",
            message=f"It {does}, and shows no sign of life.",
            advice="If it does not come back others take its work over within 10 s.",
        )
    return Check(name=f"node {name}", state="ok", message=f"It {does}.")


def nats_check(looked: LookedNats) -> Check:
    """What there is to say of NATS."""
    return Check(
        name="NATS",
        state="ok" if looked.jetstream else "failed",
        message=f"{looked.where} is NATS {looked.server_version}"
        + (", JetStream is on." if looked.jetstream else " without JetStream."),
        advice=""
        if looked.jetstream
        else "Start it with -js, or with jetstream {} in its settings.",
    )
