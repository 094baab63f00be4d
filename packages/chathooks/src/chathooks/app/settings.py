"""Settings: from flags, `CHATHOOKS_*` variables or `chathooks.toml`, in that order (delivery contract §6).

Each setting is declared once in `SETTINGS`; the reference page is written from there.
"""

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chathooks.apps.bootstrap import check_app_id
from chathooks.kernel.errors import StartRefused

ENVIRONMENT_PREFIX = "CHATHOOKS_"
SETTINGS_FILE = "chathooks.toml"
PORT_MAX = 65_535
LOG_LEVELS = ("debug", "info", "warning", "error")
ROLES = ("all", "api", "delivery")
NODE_NAME_CHARS_MAX = 64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_REGION = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_NODE_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{NODE_NAME_CHARS_MAX}}}", re.ASCII)
_NATS_SERVER = re.compile(r"(nats|tls)://[^\s,/]+/?", re.ASCII)
_URL_COMMA = re.compile(r",(?=\s*[A-Za-z][A-Za-z0-9+.-]*://)")


class _Invalid(ValueError):
    """A value that the setting cannot take; the text completes 'it …'."""


def _text(value: str) -> str:
    if not value.strip():
        raise _Invalid("is empty")
    return value.strip()


def _region(value: str) -> str:
    lowered = value.strip().lower()
    if not _REGION.fullmatch(lowered):
        raise _Invalid("is not a region (up to 32 letters, digits and dashes)")
    return lowered


def _boolean(value: str) -> bool:
    lowered = value.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise _Invalid("is neither true nor false")


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise _Invalid("is not a whole number") from None
        if not low <= number <= high:
            raise _Invalid(f"is not between {low} and {high}")
        return number

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            raise _Invalid("is not a number of seconds") from None
        if not low <= number <= high:
            raise _Invalid(f"is not between {low:g} and {high:g} seconds")
        return number

    return parse


def _schedule(value: str) -> tuple[float, ...]:
    one = _seconds(0.1, 86_400)
    return tuple(one(part) for part in value.split(",") if part.strip())


def _urls(value: str) -> tuple[str, ...]:
    # An address may hold commas of its own: only one before the next scheme separates.
    return tuple(part.strip() for part in _URL_COMMA.split(value.strip(" ,")) if part.strip())


def _networks(value: str) -> tuple[Network, ...]:
    try:
        return tuple(
            ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip()
        )
    except ValueError as error:
        raise _Invalid(f"is not a list of networks such as 10.0.0.0/8 ({error})") from None


def _path(value: str) -> Path:
    return Path(_text(value)).expanduser()


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        lowered = value.strip().lower()
        if lowered not in choices:
            raise _Invalid(f"is none of {', '.join(choices)}")
        return lowered

    return parse


def _app_id(value: str) -> str:
    lowered = value.strip().lower()
    try:
        check_app_id(lowered)
    except StartRefused as refused:
        raise _Invalid(next(iter(refused.details.values()), "is not an app id")) from None
    return lowered


def _database_url(value: str) -> str:
    text = _text(value)
    if not text.startswith(("postgresql://", "postgres://")):
        raise _Invalid("is not an address such as postgresql://user:password@host/database")
    return text


def _nats_url(value: str) -> str:
    servers = [part.strip() for part in _text(value).split(",") if part.strip()]
    if not servers or not all(_NATS_SERVER.fullmatch(server) for server in servers):
        raise _Invalid("is not an address such as nats://user:password@host:4222")
    return ",".join(servers)


def _node_name(value: str) -> str:
    text = _text(value)
    if not _NODE_NAME.fullmatch(text):
        raise _Invalid(
            f"is not a name (up to {NODE_NAME_CHARS_MAX} letters, digits, dots, dashes and underscores)"
        )
    return text


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its field name, how its text is read, its default and what it means."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    meaning: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The command line flag."""
        return "--" + self.name.replace("_", "-")


_hours = _integer(1, 24 * 365)

SETTINGS: tuple[Setting, ...] = (
    Setting("host", _text, "127.0.0.1", "Address to listen on."),
    Setting("port", _integer(0, PORT_MAX), 8080, "Port to listen on; 0 takes a free one."),
    Setting("data_dir", _path, Path("chathooks-data"), "Folder of the SQLite store and keys."),
    Setting("app_id", _app_id, None, "Id of the app made on the first start."),
    Setting("region", _region, "us", "Region of that app."),
    Setting("api_key", _text, None, "Its fullAccess key; made where not given.", secret=True),
    Setting("auth_key", _text, None, "Its authOnly key; made where not given.", secret=True),
    Setting("management_key", _text, None, "Key of the management API.", secret=True),
    Setting("management_secret", _text, None, "Secret of the management API.", secret=True),
    Setting("secret_key", _text, None, "Key that encrypts secrets at rest.", secret=True),
    Setting(
        "allow_target_networks",
        _networks,
        (),
        "Networks (CIDR, comma-separated) that webhooks may reach although private.",
    ),
    Setting("allow_http_targets", _boolean, False, "Whether webhooks may use http."),
    Setting("target_ca_file", _path, None, "Further CA certificates (PEM) for endpoints."),
    Setting(
        "request_timeout", _seconds(0.1, 30), 2.0, "Seconds an endpoint has to answer an attempt."
    ),
    Setting(
        "retry_schedule",
        _schedule,
        (10.0, 30.0),
        "Seconds before the second, third, … attempt, comma-separated.",
    ),
    Setting(
        "database_url",
        _database_url,
        None,
        "Store: postgresql://…; SQLite in the data directory where not given.",
    ),
    Setting(
        "database_ca_file",
        _path,
        None,
        "CA certificates (PEM) that the database's is verified with.",
    ),
    Setting(
        "database_connections",
        _integer(1, 100),
        8,
        "Connections for reading that a process keeps to PostgreSQL, besides the one that writes.",
    ),
    Setting("database_connect_timeout", _integer(1, 60), 5, "Seconds that a connection may take."),
    Setting(
        "database_statement_timeout",
        _seconds(1, 600),
        15.0,
        "Seconds after which PostgreSQL ends a statement.",
    ),
    Setting(
        "nats_url",
        _nats_url,
        None,
        "NATS servers (nats://…, comma-separated) that carry news between processes that share a "
        "PostgreSQL store; one process does everything where not given.",
    ),
    Setting(
        "nats_ca_file",
        _path,
        None,
        "CA certificates (PEM) that NATS's is verified with; TLS is asked for then.",
    ),
    Setting(
        "media_url", _text, None, "Object store for media; the data directory where not given."
    ),
    Setting("public_url", _text, None, "Address that clients and links use."),
    Setting("tls_cert_file", _path, None, "Certificate chain (PEM); https when given."),
    Setting("tls_key_file", _path, None, "Private key (PEM) of the certificate."),
    Setting(
        "trusted_proxies",
        _networks,
        (),
        "Networks of proxies whose X-Forwarded-* headers are believed.",
    ),
    Setting("webhooks_per_app", _integer(1, 1_000_000), 25, "Webhooks that an app may have."),
    Setting("retention_days", _integer(1, 3650), 30, "Days that events and deliveries are kept."),
    Setting("delivery_expiry_hours", _hours, 72, "Hours after which a waiting delivery expires."),
    Setting(
        "backlog_limit",
        _integer(1, 100_000_000),
        1_000_000,
        "Deliveries that may wait per webhook; further ones expire at once.",
    ),
    Setting(
        "alert_urls",
        _urls,
        (),
        "Where alerts are sent: addresses as Apprise writes them, comma-separated.",
        secret=True,
    ),
    Setting(
        "alert_lag_seconds",
        _integer(10, 86_400),
        300,
        "Seconds of lag, or without a success while deliveries wait, that raise an alert.",
    ),
    Setting(
        "alert_failures",
        _integer(1, 1_000_000),
        20,
        "Failed deliveries of a webhook in a row that raise an alert.",
    ),
    Setting(
        "rate_limit_core",
        _integer(0, 1_000_000_000),
        0,
        "Core operations (create or delete users, create groups) that an app may make per minute; "
        "0 is no limit. CometChat's is 10000.",
    ),
    Setting(
        "rate_limit_standard",
        _integer(0, 1_000_000_000),
        0,
        "Other operations that an app may make per minute; 0 is no limit. CometChat's is 20000.",
    ),
    Setting("call_timeout", _integer(1, 600), 45, "Seconds until a call goes unanswered."),
    Setting("log_level", _choice(*LOG_LEVELS), "info", "Least level that is logged."),
    Setting(
        "role",
        _choice(*ROLES),
        "all",
        "What this process does: serve the API, deliver, or both. Other than all with NATS only.",
    ),
    Setting(
        "node_name",
        _node_name,
        None,
        "Name of this process among those of a cluster, in logs and in doctor; host name and "
        "process id where not given.",
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the server runs with. Field by field as in `SETTINGS`; times in seconds."""

    host: str = "127.0.0.1"
    port: int = 8080
    data_dir: Path = Path("chathooks-data")
    app_id: str | None = None
    region: str = "us"
    api_key: str | None = field(default=None, repr=False)
    auth_key: str | None = field(default=None, repr=False)
    management_key: str | None = field(default=None, repr=False)
    management_secret: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    allow_target_networks: tuple[Network, ...] = ()
    allow_http_targets: bool = False
    target_ca_file: Path | None = None
    request_timeout: float = 2.0
    retry_schedule: tuple[float, ...] = (10.0, 30.0)
    database_url: str | None = field(default=None, repr=False)
    database_ca_file: Path | None = None
    database_connections: int = 8
    database_connect_timeout: int = 5
    database_statement_timeout: float = 15.0
    nats_url: str | None = field(default=None, repr=False)
    nats_ca_file: Path | None = None
    media_url: str | None = None
    public_url: str | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    trusted_proxies: tuple[Network, ...] = ()
    webhooks_per_app: int = 25
    retention_days: int = 30
    delivery_expiry_hours: int = 72
    backlog_limit: int = 1_000_000
    alert_urls: tuple[str, ...] = field(default=(), repr=False)
    alert_lag_seconds: int = 300
    alert_failures: int = 20
    rate_limit_core: int = 0
    rate_limit_standard: int = 0
    call_timeout: int = 45
    log_level: str = "info"
    role: str = "all"
    node_name: str | None = None

    @property
    def in_cluster(self) -> bool:
        """Whether further processes may serve the same store."""
        return self.nats_url is not None

    def contradictions(self) -> dict[str, str]:
        """Settings that do not go together: by variable, what is wrong."""
        wrong = {}
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            wrong["CHATHOOKS_TLS_CERT_FILE"] = "it goes together with CHATHOOKS_TLS_KEY_FILE"
        if self.in_cluster and self.database_url is None:
            wrong["CHATHOOKS_NATS_URL"] = (
                "with NATS the store must be PostgreSQL's: give CHATHOOKS_DATABASE_URL too"
            )
        if not self.in_cluster:
            if self.role != "all":
                wrong["CHATHOOKS_ROLE"] = (
                    "without NATS one process does everything: use all, or give CHATHOOKS_NATS_URL "
                    "and CHATHOOKS_DATABASE_URL"
                )
            if self.nats_ca_file is not None:
                wrong["CHATHOOKS_NATS_CA_FILE"] = "it goes together with CHATHOOKS_NATS_URL"
        return wrong

    def summary(self) -> dict[str, str]:
        """What a start prints: every setting, secrets as given or not given."""
        shown = {}
        for setting in SETTINGS:
            value = getattr(self, setting.name)
            if setting.secret or setting.name.endswith("_url"):
                shown[setting.name] = "given" if value else "not given"
            elif isinstance(value, tuple):
                shown[setting.name] = ", ".join(str(item) for item in value)
            else:
                shown[setting.name] = "" if value is None else str(value)
        return shown


def _file_values(file: Path | None) -> dict[str, str]:
    path = file or Path(SETTINGS_FILE)
    if file is None and not path.exists():
        return {}
    try:
        parsed = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StartRefused("ERR_SETTINGS", f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartRefused("ERR_SETTINGS", f"{path} is not valid TOML: {error}.") from None
    values = {}
    for name, value in parsed.items():
        if name not in _BY_NAME:
            raise StartRefused(
                "ERR_SETTINGS", f"{path}: there is no setting {name!r}.", {name: "unknown"}
            )
        if isinstance(value, list):
            values[name] = ",".join(str(item) for item in value)
        else:
            values[name] = str(value)
    return values


def refuse(wrong: Mapping[str, str]) -> None:
    """Raise StartRefused where settings are wrong: by variable, what is wrong with it."""
    if wrong:
        raise StartRefused(
            "ERR_SETTINGS",
            "These settings cannot be used: "
            + "; ".join(f"{name}: {reason}" for name, reason in sorted(wrong.items()))
            + ".",
            dict(wrong),
        )


def load_settings(
    flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None = None
) -> Settings:
    """Read the settings.

    Args:
        flags: by setting name, values of the command line; None where not given.
        environment: e.g. `os.environ`.
        file: TOML file; `chathooks.toml` in the working directory where it exists and none is named.

    Raises:
        StartRefused: naming each setting that has a wrong value and what is wrong with it.
    """
    given = _file_values(file)
    for variable in environment:
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if variable.startswith(ENVIRONMENT_PREFIX) and name in _BY_NAME:
            given[name] = environment[variable]
    given.update({name: value for name, value in flags.items() if value is not None})
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, text in given.items():
        setting = _BY_NAME[name]
        try:
            values[name] = setting.parse(text)
        except _Invalid as error:
            wrong[setting.variable] = f"it {error}"
    settings = Settings(**values)
    refuse(wrong or settings.contradictions())
    return settings
