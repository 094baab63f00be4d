"""The ways to fail, by name. A mode gets a channel and a request and does what its name says."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from chathooks_receiver.tools.failures import ToolFailed
from chathooks_receiver.tools.faults.channel import Channel, Got

DRIP_S = 0.1
"""Between two pieces of a dripping answer."""
DRIP_PIECES_MAX = 600
LATE_S = 1.9
"""When a late answer begins: within the two seconds, but only just (delivery contract §2)."""
SLOW_S = 5.0
"""When a slow answer begins: long after the two seconds."""
ENDLESS_BYTES_MAX = 256 * 1024 * 1024
"""What an endless answer ends at all the same."""
CHUNK = b"x" * 16_384

Then: TypeAlias = Literal["keep", "close", "reset"]
Behave: TypeAlias = Callable[[Channel, Got], Awaitable[Then]]
Certificate: TypeAlias = Literal["good", "expired", "wrong-name", "self-signed"]

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to answer or not. `failure` is the class that a Chathooks server's delivery log shows, None where it counts as acknowledged."""

    name: str
    description: str
    failure: str | None
    behave: Behave
    certificate: Certificate | None = None
    """The certificate that the whole endpoint has then; None where the mode does not care."""


async def _ok(channel: Channel, _: Got) -> Then:
    await channel.answer(200, b'{"status":"accepted"}', ("Content-Type: application/json",))
    return "keep"


async def _late(channel: Channel, got: Got) -> Then:
    await asyncio.sleep(LATE_S)
    return await _ok(channel, got)


async def _slow_headers(channel: Channel, got: Got) -> Then:
    await asyncio.sleep(SLOW_S)
    return await _ok(channel, got)


async def _drip_headers(channel: Channel, _: Got) -> Then:
    await channel.write(_HEAD)
    for number in range(DRIP_PIECES_MAX):
        await channel.write(b"X-Drip-%d: drip\r\n" % number)
        await asyncio.sleep(DRIP_S)
    return "close"


async def _drip_body(channel: Channel, _: Got) -> Then:
    await channel.write(_HEAD + b"Content-Length: %d\r\n\r\n" % DRIP_PIECES_MAX)
    for _piece in range(DRIP_PIECES_MAX):
        await channel.write(b"d")
        await asyncio.sleep(DRIP_S)
    return "keep"


async def _hang(channel: Channel, _: Got) -> Then:
    await channel.until_closed()
    return "close"


async def _reset(_channel: Channel, _: Got) -> Then:
    return "reset"


async def _reset_kept(channel: Channel, got: Got) -> Then:
    return await _ok(channel, got) if channel.requests == 1 else "reset"


async def _close(_channel: Channel, _: Got) -> Then:
    return "close"


async def _close_mid_headers(channel: Channel, _: Got) -> Then:
    await channel.write(_HEAD)
    return "close"


async def _close_mid_body(channel: Channel, _: Got) -> Then:
    await channel.write(_HEAD + b'Content-Length: 100\r\n\r\n{"status":')
    return "close"


async def _wrong_length(channel: Channel, _: Got) -> Then:
    await channel.write(_HEAD + b'Content-Length: 2\r\n\r\n{"status":"accepted"}')
    return "close"


async def _endless_body(channel: Channel, _: Got) -> Then:
    await channel.write(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _chunk in range(ENDLESS_BYTES_MAX // len(CHUNK)):
        await channel.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
    return "close"


async def _endless_headers(channel: Channel, _: Got) -> Then:
    await channel.write(_HEAD)
    for number in range(ENDLESS_BYTES_MAX // 1_024):
        await channel.write(b"X-%d: %b\r\n" % (number, CHUNK[:1_000]))
    return "close"


async def _redirect(channel: Channel, got: Got) -> Then:
    await channel.answer(307, b"", (f"Location: {got.path}?again",))
    return "keep"


async def _garbage(channel: Channel, _: Got) -> Then:
    await channel.write(b"\x00\x15\xffSSH-2.0-OpenSSH_9.2\r\n")
    return "close"


def _status(status: int) -> Behave:
    async def behave(channel: Channel, _: Got) -> Then:
        body = b"" if status in (204, 304) else b'{"status":"as asked"}'
        await channel.answer(status, body)
        return "keep"

    return behave


MODES: Mapping[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("ok", "answers 200", None, _ok),
        Mode("late-200", f"answers 200 after {LATE_S} s", None, _late),
        Mode("drip-body", "answers 200, then its body a byte at a time", None, _drip_body),
        Mode(
            "close-mid-body", "answers 200, closes in the middle of the body", None, _close_mid_body
        ),
        Mode("wrong-length", "announces a shorter body than it sends", None, _wrong_length),
        Mode("endless-body", "answers 200 with a body without end", None, _endless_body),
        Mode(
            "reset-kept",
            "answers the first request of each connection, resets at the next",
            None,
            _reset_kept,
        ),
        Mode("slow-headers", f"answers after {SLOW_S:g} s", "timeout_response", _slow_headers),
        Mode(
            "drip-headers",
            "sends headers slowly and without end",
            "timeout_response",
            _drip_headers,
        ),
        Mode("hang", "never answers", "timeout_response", _hang),
        Mode("reset", "resets the connection instead of an answer", "connection_reset", _reset),
        Mode("close", "closes the connection instead of an answer", "connection_reset", _close),
        Mode(
            "close-mid-headers",
            "closes in the middle of the headers",
            "protocol",
            _close_mid_headers,
        ),
        Mode("endless-headers", "sends headers without end", "headers_too_large", _endless_headers),
        Mode("garbage", "sends what is no HTTP", "protocol", _garbage),
        Mode("redirect", "answers 307 to the same path", "http_status", _redirect),
        Mode("expired-certificate", "has a certificate that has expired", "tls", _ok, "expired"),
        Mode("wrong-name-certificate", "has another host's certificate", "tls", _ok, "wrong-name"),
        Mode("self-signed-certificate", "has a certificate of its own", "tls", _ok, "self-signed"),
    )
}
"""By name; `status-NNN` answers with any status besides."""

_STATUS = re.compile(r"^status-([2-5]\d\d)$")


def parse_modes(text: str) -> list[Mode]:
    """The modes of a comma-separated list; a name may stand more than once, or as `NAME*COUNT`, e.g. `ok*9,hang`.

    Raises:
        ToolFailed: ERR_MODE.
    """
    found: list[Mode] = []
    for item in text.split(","):
        name, _, count = item.strip().partition("*")
        if count and not (count.isdecimal() and 0 < int(count) <= 1_000):
            raise _bad_mode(f"{count!r} is no count from 1 to 1000")
        found += [_mode(name)] * int(count or 1)
    wanted = {mode.certificate for mode in found if mode.certificate is not None}
    if len(wanted) > 1:
        raise _bad_mode("an endpoint has one certificate; start one endpoint for each")
    return found


def _mode(name: str) -> Mode:
    status = _STATUS.match(name)
    if status:
        code = int(status[1])
        failure = None if code < 300 else "http_status"
        return Mode(name, f"answers {code}", failure, _status(code))
    if name not in MODES:
        raise _bad_mode(f"there is no mode called {name[:40]!r}")
    return MODES[name]


def _bad_mode(why: str) -> ToolFailed:
    return ToolFailed(
        "ERR_MODE",
        f"The modes cannot be used: {why}.",
        advice="`chathooks-receiver faulty --list` shows the names.",
    )
