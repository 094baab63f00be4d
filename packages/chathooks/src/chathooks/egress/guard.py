"""Who may be called: the text of a URL and every address behind it, judged without any I/O.

Two walls use the same rules. `parse_target` judges the text once, when a webhook is written and again when its
target is built; `judge_address` judges each address that a name resolves to and, at the socket, the very address
about to be connected to. The URL handed to the transport is built from the parts parsed here, so the two cannot
disagree on what the host is. Source: delivery contract §4, §7 "URL at creation".
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import quote
from zlib import crc32

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

URL_CHARS_MAX = 255
HOST_CHARS_MAX = 253
LABEL_CHARS_MAX = 63
PORT_HTTPS = 443
PORT_HTTP = 80
PORT_UNPRIVILEGED_MIN = 1024
PORT_MAX = 65_535
VERDICTS_MAX = 65_536
PHASES = 1009

_V4_REFUSED: tuple[tuple[str, str], ...] = (
    # The narrow ones first: the first match names the rule.
    ("169.254.169.254/32", "a cloud metadata address"),
    ("169.254.170.2/32", "a cloud metadata address"),
    ("100.100.100.200/32", "a cloud metadata address"),
    ("168.63.129.16/32", "a cloud metadata address"),
    ("192.0.0.192/32", "a cloud metadata address"),
    ("0.0.0.0/8", "an unspecified address"),
    ("10.0.0.0/8", "a private address"),
    ("100.64.0.0/10", "a carrier-grade NAT address"),
    ("127.0.0.0/8", "a loopback address"),
    ("169.254.0.0/16", "a link-local address"),
    ("172.16.0.0/12", "a private address"),
    ("192.0.0.0/24", "a reserved address"),
    ("192.0.2.0/24", "a documentation address"),
    ("192.88.99.0/24", "a 6to4 relay address"),
    ("192.168.0.0/16", "a private address"),
    ("198.18.0.0/15", "a benchmarking address"),
    ("198.51.100.0/24", "a documentation address"),
    ("203.0.113.0/24", "a documentation address"),
    ("224.0.0.0/4", "a multicast address"),
    ("240.0.0.0/4", "a reserved address"),
)

_V6_REFUSED: tuple[tuple[str, str], ...] = (
    ("fd00:ec2::254/128", "a cloud metadata address"),
    ("fd20:ce::254/128", "a cloud metadata address"),
    ("::/128", "an unspecified address"),
    ("::1/128", "a loopback address"),
    ("::ffff:0:0/96", "an IPv4-mapped address"),
    ("::ffff:0:0:0/96", "an IPv4-translated address"),
    ("::/96", "an IPv4-compatible address"),
    ("64:ff9b::/96", "a NAT64 address"),
    ("64:ff9b:1::/48", "a NAT64 address"),
    ("100::/64", "a discard-only address"),
    ("100:0:0:1::/64", "a discard-only address"),
    ("2001::/32", "a Teredo address"),
    ("2001:2::/48", "a benchmarking address"),
    ("2001:db8::/32", "a documentation address"),
    ("2001::/23", "a reserved address"),
    ("2002::/16", "a 6to4 address"),
    ("3ffe::/16", "a reserved address"),
    ("3fff::/20", "a documentation address"),
    ("5f00::/16", "an SRv6 segment address"),
    ("fc00::/7", "a unique local address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a site-local address"),
    ("ff00::/8", "a multicast address"),
)

_V6_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP_MARKS = frozenset({0x0000_5EFE, 0x0200_5EFE})

_V4_RULES = tuple((IPv4Network(text), reason) for text, reason in _V4_REFUSED)
_V6_RULES = tuple((IPv6Network(text), reason) for text, reason in _V6_REFUSED)


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """What the operator allows beyond the public internet (delivery contract §6).

    Args:
        allowed_networks: networks that webhooks may reach although they are not public.
        allow_http: whether `http://` and port 80 are accepted.
    """

    allowed_networks: tuple[Network, ...] = ()
    allow_http: bool = False
    verdicts: dict[str, str | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What `judge_address` has said; an address that is not in it must be given to that."""

    @classmethod
    def of(cls, networks: Iterable[str], *, allow_http: bool = False) -> "TargetPolicy":
        """Policy from CIDR texts. Raises ValueError where one is not a network."""
        return cls(tuple(ipaddress.ip_network(text.strip()) for text in networks), allow_http)

    @property
    def allows_loopback(self) -> bool:
        """Whether an allowed network holds a loopback address."""
        return any(_overlaps(network, _LOOPBACK) for network in self.allowed_networks)

    @property
    def allows_private(self) -> bool:
        """Whether an allowed network holds any address that is not public."""
        return any(
            _overlaps(network, _V4_ALL_REFUSED if network.version == 4 else _V6_ALL_REFUSED)
            or (network.version == 6 and not network.subnet_of(_V6_GLOBAL_UNICAST))
            for network in self.allowed_networks
        )


_LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_V4_ALL_REFUSED: tuple[Network, ...] = tuple(network for network, _ in _V4_RULES)
_V6_ALL_REFUSED: tuple[Network, ...] = tuple(network for network, _ in _V6_RULES)


def _overlaps(network: Network, others: tuple[Network, ...]) -> bool:
    return any(network.version == other.version and network.overlaps(other) for other in others)


def judge_address(ip: str, policy: TargetPolicy) -> str | None:
    """None where `ip` may be connected to, else the plain name of what it is ("a loopback address").

    Only global unicast passes; the operator's networks win over every rule. Verdicts are kept, so that asking
    for each connection costs a dictionary look-up.

    Source: delivery contract §4; IANA special-purpose address registries (RFC 6890, RFC 8190).
    """
    verdicts = policy.verdicts
    if ip in verdicts:
        return verdicts[ip]
    if len(verdicts) >= VERDICTS_MAX:
        verdicts.clear()
    verdict = verdicts[ip] = _judge(ip, policy.allowed_networks)
    return verdict


def _judge(ip: str, allowed: tuple[Network, ...]) -> str | None:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "not an IP address"
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "an address with a zone"
    if any(address.version == network.version and address in network for network in allowed):
        return None
    if isinstance(address, IPv4Address):
        return next((reason for network, reason in _V4_RULES if address in network), None)
    for network, reason in _V6_RULES:
        if address in network:
            return reason
    if address not in _V6_GLOBAL_UNICAST:
        return "a reserved address"
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP_MARKS:
        return "an ISATAP address"
    return None


class TargetRefused(Exception):
    """The URL may not be a webhook's; `rule` is stable, `message` says what to change."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


@dataclass(frozen=True, slots=True)
class Target:
    """A judged URL, in the only form that is handed to the transport."""

    url: str
    """Rebuilt from the parts below."""
    scheme: str
    host: str
    """Lower-case ASCII name, or the canonical text of a literal address (IPv6 without brackets)."""
    port: int
    path: str
    """Path and query, percent-encoded, with its leading slash."""
    is_literal: bool
    pin: str
    """`host:port` as the transport's table of pinned addresses names it."""
    phase_s: float
    """Spreads over time what the transport does to each origin in turn (see `client.EPOCH_S`)."""


_SPLIT = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?]*)(?P<path>/[^?]*)?(?P<query>\?.*)?\Z"
)
_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\Z")
_NUMERIC_LABEL = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)\Z")
_DOTTED_QUAD = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}\Z")
_FORBIDDEN = re.compile(
    r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
)
# IDNA 2003 and 2008 encode these differently, so two programs may call two different hosts.
_IDNA_DEVIATIONS = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")
_PATH_SAFE = "/?:@!$&'()*+,;=-._~%[]|^`{}<>\""


@lru_cache(maxsize=16_384)
def parse_target(url: str, policy: TargetPolicy) -> Target:
    """The target behind a webhook's URL.

    Names are not resolved here. Raises `TargetRefused` naming the rule that was broken.

    Source: delivery contract §4 "URL", §7 "URL at creation"; RFC 3986; for the odd forms of IPv4 addresses the
    WHATWG URL Standard, "host parsing".
    """
    _check_characters(url)
    parts = _SPLIT.match(url)
    if parts is None:
        raise TargetRefused(
            "url", "The URL must be absolute, for example https://example.com/webhook."
        )
    scheme = parts["scheme"].lower()
    if scheme not in ("https", "http"):
        raise TargetRefused("scheme", "The URL must start with https://.")
    if scheme == "http" and not policy.allow_http:
        raise TargetRefused("scheme", "The URL must use https; http is not allowed on this server.")
    authority = parts["authority"]
    if "@" in authority:
        raise TargetRefused(
            "credentials", "The URL must not carry credentials; use useBasicAuth instead."
        )
    host_text, port = _split_port(authority, scheme, policy)
    if host_text.startswith("["):
        host, is_literal = _parse_v6(host_text), True
    else:
        host, is_literal = _parse_name(host_text)
    if is_literal:
        verdict = judge_address(host, policy)
        if verdict is not None:
            raise TargetRefused("address", f"The URL must name a public host; {host} is {verdict}.")
    else:
        _check_name(host, policy)
    path = quote((parts["path"] or "/") + (parts["query"] or ""), safe=_PATH_SAFE)
    in_url = f"[{host}]" if ":" in host else host
    pin = f"{in_url}:{port}"
    return Target(
        url=f"{scheme}://{in_url}:{port}{path}",
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        is_literal=is_literal,
        pin=pin,
        phase_s=float(crc32(pin.encode("ascii")) % PHASES),
    )


def _check_characters(url: str) -> None:
    if not url:
        raise TargetRefused("url", "The URL must not be empty.")
    if len(url) > URL_CHARS_MAX:
        raise TargetRefused("length", f"The URL must have at most {URL_CHARS_MAX} characters.")
    if _FORBIDDEN.search(url) is not None:
        raise TargetRefused("characters", "The URL must not contain spaces or control characters.")
    if "\\" in url:
        raise TargetRefused("characters", "The URL must not contain a backslash.")
    if "#" in url:
        raise TargetRefused("fragment", "The URL must not have a fragment (#…).")
    try:
        url.encode("utf-8")
    except UnicodeEncodeError:
        raise TargetRefused("characters", "The URL contains characters that are no text.") from None


def _split_port(authority: str, scheme: str, policy: TargetPolicy) -> tuple[str, int]:
    host, port_text = authority, ""
    if authority.startswith("["):
        bracket = authority.find("]")
        if bracket < 0:
            raise TargetRefused("host", "The IPv6 address in the URL has no closing bracket.")
        host, rest = authority[: bracket + 1], authority[bracket + 1 :]
        colon, port_text = rest[:1], rest[1:]
        if colon not in ("", ":"):
            raise TargetRefused("host", "Only a port may follow the bracketed address in the URL.")
    elif ":" in authority:
        host, _, port_text = authority.partition(":")
    if not host:
        raise TargetRefused("host", "The URL has no host.")
    if not port_text:
        port = PORT_HTTPS if scheme == "https" else PORT_HTTP
    elif port_text.isascii() and port_text.isdigit() and len(port_text) <= 5:
        port = int(port_text)
    else:
        raise TargetRefused("port", "The port in the URL must be a number.")
    if port == PORT_HTTPS or PORT_UNPRIVILEGED_MIN <= port <= PORT_MAX:
        return host, port
    if port == PORT_HTTP and policy.allow_http:
        return host, port
    raise TargetRefused(
        "port",
        f"The port in the URL must be {PORT_HTTPS} or {PORT_UNPRIVILEGED_MIN}–{PORT_MAX}, not {port}.",
    )


def _parse_v6(host_text: str) -> str:
    text = host_text[1:-1]
    if "%" in text:
        raise TargetRefused("address", "The IPv6 address in the URL must not have a zone.")
    try:
        return IPv6Address(text).compressed
    except ValueError:
        raise TargetRefused("host", "What stands in brackets is not an IPv6 address.") from None


def _parse_name(host_text: str) -> tuple[str, bool]:
    """The ASCII form of a host and whether it is a literal IPv4 address."""
    host = (host_text if host_text.isascii() else _to_ascii(host_text)).lower()
    host = host.removesuffix(".")
    if not host or len(host) > HOST_CHARS_MAX:
        raise TargetRefused("host", f"The host must have 1–{HOST_CHARS_MAX} characters.")
    labels = host.split(".")
    if _NUMERIC_LABEL.match(labels[-1]) is not None:
        # Resolvers read 127.1, 0x7f000001 and 017700000001 as addresses; only one form is left standing.
        if not host_text.isascii() or _DOTTED_QUAD.match(host) is None:
            raise TargetRefused(
                "address_form", "An IPv4 address must be written as four decimal numbers."
            )
        try:
            return str(IPv4Address(host)), True
        except ValueError:
            raise TargetRefused("host", f"{host} is not an IPv4 address.") from None
    for label in labels:
        if len(label) > LABEL_CHARS_MAX or _HOST_NAME.match(label) is None:
            raise TargetRefused("host", "The host in the URL is not a valid host name.")
    return host, False


def _to_ascii(host: str) -> str:
    if not _IDNA_DEVIATIONS.isdisjoint(host):
        raise TargetRefused(
            "idna", "The host has no single ASCII form; write it in its xn-- form instead."
        )
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise TargetRefused("idna", "The host in the URL cannot be encoded (IDNA).") from None


def _check_name(host: str, policy: TargetPolicy) -> None:
    last = host.rpartition(".")[2]
    if last == "localhost":
        if not policy.allows_loopback:
            raise TargetRefused("localhost", f"The URL must name a public host, not {host}.")
    elif (last in ("local", "internal") or "." not in host) and not policy.allows_private:
        raise TargetRefused("private_name", f"The URL must name a public host; {host} is not one.")
