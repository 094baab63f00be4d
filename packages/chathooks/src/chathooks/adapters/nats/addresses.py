"""Where NATS is and who asks: servers without their secrets, so that no message or log can show one."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from chathooks.kernel.errors import StartRefused

PORT = 4222
SCHEMES = ("nats", "tls")


@dataclass(frozen=True)
class Addresses:
    """Servers of one NATS cluster."""

    servers: tuple[str, ...]
    """`nats://host:port` or `tls://host:port`."""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return ",".join(self.servers)


def read(url: str, ca_file: Path | None = None) -> Addresses:
    """Servers of a setting: `nats://user:password@host:port`, `tls://token@host`, several with commas between.

    The user, or token, of the first that has one holds for all.

    Raises:
        StartRefused: `ERR_NATS`, it is no such setting, or the file of certificates cannot be read.
    """
    servers: list[str] = []
    user: str | None = None
    password: str | None = None
    secure = ca_file is not None
    for one in url.split(","):
        try:
            parts = urlsplit(one.strip())
            port, host = parts.port or PORT, parts.hostname
        except ValueError:
            host, parts = None, urlsplit("")
            port = PORT
        if host is None or parts.scheme not in SCHEMES or parts.path not in ("", "/"):
            raise StartRefused(
                "ERR_NATS",
                "CHATHOOKS_NATS_URL is nats://[user:password@]host[:port] or tls://…, several with commas between.",
            )
        secure = secure or parts.scheme == "tls"
        servers.append(f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}")
        if user is None and parts.username:
            user = unquote(parts.username)
            password = None if parts.password is None else unquote(parts.password)
    return Addresses(
        tuple(servers),
        user=user if password is not None else None,
        password=password,
        token=user if password is None else None,
        tls=_context(ca_file) if secure else None,
    )


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise StartRefused(
            "ERR_NATS", f"The certificates in {ca_file} cannot be read: {type(error).__name__}."
        ) from None
