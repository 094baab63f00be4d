"""Where a tool sends to: a URL taken apart once, and the TLS settings that go with it."""

import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from chathooks_receiver.tools.failures import ToolFailed

URL_CHARS_MAX = 2_048
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint to send to."""

    url: str
    scheme: str
    host: str
    """Name or address, without brackets, in its ASCII form."""
    port: int
    path: str
    """With the query, as it stands in the request line."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def secure(self) -> bool:
        """Whether it is https."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """The value of the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether the URL itself names this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")


def parse_target(url: str, ca_file: Path | None = None) -> Target:
    """Take a URL apart. Nothing is resolved or opened.

    Raises:
        ToolFailed: ERR_URL or ERR_CA_FILE, with exit code 2.
    """
    parts, host, port = None, "", None
    if len(url) <= URL_CHARS_MAX and url.isprintable() and " " not in url:
        try:
            parts = urlsplit(url)
            port = parts.port
            host = (parts.hostname or "").encode("idna").decode("ascii")
        except (ValueError, UnicodeError):
            parts = None
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not host or port == 0:
        raise _bad_url("it must be http:// or https:// with a host")
    if parts.username is not None or parts.password is not None:
        raise _bad_url("credentials do not belong in it; use --username and --password")
    if parts.fragment:
        raise _bad_url("it must have no fragment (#…)")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise _bad_url("its path must be percent-encoded")
    secure = parts.scheme == "https"
    context = client_context(ca_file)
    return Target(
        url=url,
        scheme=parts.scheme,
        host=host,
        port=port or _DEFAULT_PORTS[parts.scheme],
        path=path,
        tls=context if secure else None,
    )


def _bad_url(why: str) -> ToolFailed:
    return ToolFailed(
        "ERR_URL",
        f"The URL cannot be used: {why}.",
        advice="For example: https://shop.example/webhook or http://localhost:3000/hook",
    )


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer against the system's certificates, and those of `ca_file` (PEM) too.

    Raises:
        ToolFailed: ERR_CA_FILE, with exit code 2.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError):
            raise ToolFailed(
                "ERR_CA_FILE",
                f"{ca_file} cannot be read as certificates.",
                advice="--ca-file takes a file of certificates in PEM.",
            ) from None
    return context
