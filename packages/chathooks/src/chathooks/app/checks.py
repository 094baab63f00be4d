"""What `chathooks doctor` looks at. Nothing here changes anything."""

import asyncio
import os
import sqlite3
import ssl
import time
import tomllib
from pathlib import Path

from chathooks.app.build import (
    SCHEMA_COMPATIBLE_FROM,
    STORE_FILE,
    look_at_database,
    look_at_nats,
    newest_schema,
    target_policy,
)
from chathooks.app.cluster_checks import database_checks, nats_check
from chathooks.app.findings import Check
from chathooks.app.secrets import CREDENTIALS_FILE, SECRET_KEY_FILE
from chathooks.app.settings import Settings
from chathooks.egress.guard import Target, TargetPolicy, TargetRefused, judge_address, parse_target
from chathooks.egress.resolver import Answer, Resolver
from chathooks.kernel.errors import StartRefused

ENDPOINTS_CHECKED_MAX = 1000
ENDPOINTS_AT_ONCE = 16
CONNECT_TIMEOUT_S = 2.0
DISK_FREE_BYTES_MIN = 256 * 1024 * 1024
YEAR_OF_WRITING = 2025
OF_OTHERS = 0o077
"""Permissions of group and others."""


def _folder(folder: Path) -> list[Check]:
    name = "data directory"
    try:
        if not folder.exists():
            return [
                Check(
                    name=name,
                    state="warning",
                    message=f"{folder} does not exist yet.",
                    advice="chathooks serve makes it.",
                )
            ]
        if not folder.is_dir():
            return [Check(name=name, state="failed", message=f"{folder} is not a folder.")]
        free = _free_bytes(folder)
        checks = [_disk(folder, free)]
        for file in (CREDENTIALS_FILE, SECRET_KEY_FILE):
            checks += _private_file(folder / file)
    except OSError as error:
        return [_unreadable(name, folder, error)]
    return checks


def _unreadable(name: str, path: Path, error: OSError) -> Check:
    return Check(
        name=name,
        state="failed",
        message=f"{path} cannot be read: {error.strerror}.",
        advice="Run this as the user that runs the server.",
    )


def _free_bytes(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def _disk(folder: Path, free: int) -> Check:
    enough = free >= DISK_FREE_BYTES_MIN
    return Check(
        name="disk",
        state="ok" if enough else "failed",
        message=f"{free // 2**20} MiB free in {folder}.",
        advice="" if enough else "Free some space: a full disk makes every write a 503.",
    )


def _private_file(path: Path) -> list[Check]:
    """What is wrong with a file of keys; nothing where it is in order or does not exist."""
    if not path.exists():
        return []
    if path.stat().st_mode & OF_OTHERS:
        return [
            Check(
                name=path.name,
                state="failed",
                message=f"{path} can be read by others.",
                advice=f"chmod 600 {path}",
            )
        ]
    try:
        if path.name == CREDENTIALS_FILE:
            tomllib.loads(path.read_text("utf-8"))
    except ValueError:
        return [
            Check(
                name=path.name,
                state="failed",
                message=f"{path} cannot be read as TOML.",
                advice="Restore it from a back-up.",
            )
        ]
    return []


def _store(path: Path) -> tuple[list[Check], list[tuple[str, str]]]:
    try:
        if not path.exists():
            return [Check(name="store", state="warning", message="There is no store yet.")], []
    except OSError as error:
        return [_unreadable("store", path, error)], []
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, timeout=CONNECT_TIMEOUT_S)
        try:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            schema = _schema(connection)
            endpoints = connection.execute(
                "SELECT id, url FROM webhooks WHERE deleted_at IS NULL AND enabled LIMIT ?",
                (ENDPOINTS_CHECKED_MAX,),
            ).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        failed = Check(
            name="store",
            state="failed",
            message=f"{path} cannot be read: {error}.",
            advice="Restore it from a back-up, or start with another data directory.",
        )
        return [failed], []
    sound = verdict == "ok"
    check = Check(
        name="store",
        state="ok" if sound else "failed",
        message=f"{path} is sound." if sound else f"{path} is damaged: {verdict}.",
        advice="" if sound else "Restore it from a back-up.",
    )
    return [check, schema], endpoints


def _schema(connection: sqlite3.Connection) -> Check:
    """Whether this program can work on the store."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    newest = newest_schema()
    if version <= newest:
        later = "" if version == newest else f"; the next start brings it to {newest}"
        return Check(name="schema", state="ok", message=f"It is version {version}{later}.")
    row = connection.execute(
        "SELECT value FROM meta WHERE name = ?", (SCHEMA_COMPATIBLE_FROM,)
    ).fetchone()
    compatible = version if row is None else int(row[0])
    usable = compatible <= newest
    return Check(
        name="schema",
        state="warning" if usable else "failed",
        message=f"It is version {version}, this program knows {newest}"
        + (
            " and can work on it." if usable else f"; programs from {compatible} on can work on it."
        ),
        advice="Start it with the newer Chathooks that made it.",
    )


async def _any_store(settings: Settings) -> tuple[list[Check], list[tuple[str, str]]]:
    """The store that the settings name, and the endpoints of its enabled webhooks."""
    try:
        looked = await look_at_database(settings)
    except StartRefused as refused:
        return [Check(name="store", state="failed", message=refused.message)], []
    if looked is None:
        return _store(settings.data_dir / STORE_FILE)
    return database_checks(looked, settings), looked.endpoints


async def _nats(settings: Settings) -> list[Check]:
    try:
        looked = await look_at_nats(settings)
    except StartRefused as refused:
        return [Check(name="NATS", state="failed", message=refused.message)]
    return [] if looked is None else [nats_check(looked)]


def _clock() -> Check:
    sane = time.gmtime().tm_year >= YEAR_OF_WRITING
    return Check(
        name="clock",
        state="ok" if sane else "failed",
        message=time.strftime("It is %Y-%m-%d %H:%M:%S UTC.", time.gmtime()),
        advice="" if sane else "Set the clock: signatures carry its time and receivers check it.",
    )


async def _resolve(resolver: Resolver, target: Target) -> tuple[tuple[str, ...], str]:
    if target.is_literal:
        return (target.host,), ""
    answered: asyncio.Future[tuple[tuple[str, ...], str]] = (
        asyncio.get_running_loop().create_future()
    )

    def on_answer(answer: Answer) -> None:
        if not answered.done():
            answered.set_result((answer.addresses, answer.detail))

    withdraw = resolver.lookup(target.host, on_answer)
    try:
        return await asyncio.wait_for(answered, CONNECT_TIMEOUT_S)
    except TimeoutError:
        withdraw()
        return (), "the name-server does not answer"


async def _endpoint(
    webhook_id: str, url: str, policy: TargetPolicy, resolver: Resolver, tls: ssl.SSLContext
) -> Check:
    name = f"endpoint {webhook_id}"
    try:
        target = parse_target(url, policy)
    except TargetRefused as refused:
        return Check(
            name=name,
            state="failed",
            message=f"{url}: {refused.message}",
            advice="Change its webhookURL, or allow it with CHATHOOKS_ALLOW_TARGET_NETWORKS or "
            "CHATHOOKS_ALLOW_HTTP_TARGETS.",
        )
    addresses, problem = await _resolve(resolver, target)
    allowed = [ip for ip in addresses if judge_address(ip, policy) is None]
    if not allowed:
        why = problem or f"its addresses may not be called ({', '.join(addresses) or 'none'})"
        return Check(name=name, state="failed", message=f"{target.host}: {why}.")
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(
                allowed[0],
                target.port,
                ssl=tls if target.scheme == "https" else None,
                server_hostname=target.host if target.scheme == "https" else None,
            ),
            CONNECT_TIMEOUT_S,
        )
    except TimeoutError:
        message = f"{url} does not answer within {CONNECT_TIMEOUT_S:g} s."
        return Check(name=name, state="failed", message=message)
    except ssl.SSLCertVerificationError as error:
        return Check(
            name=name,
            state="failed",
            message=f"{url}: its certificate is not accepted: {error.verify_message}.",
            advice="Name its authority with CHATHOOKS_TARGET_CA_FILE, or renew the certificate.",
        )
    except OSError as error:
        return Check(name=name, state="failed", message=f"{url}: {error.strerror or error}.")
    # Nothing was said, so there is nothing to say goodbye to: an endpoint may be slow to answer one.
    writer.transport.abort()
    return Check(name=name, state="ok", message=f"{url} can be reached ({allowed[0]}).")


def _trust(settings: Settings) -> tuple[ssl.SSLContext, list[Check]]:
    """The authorities that endpoints are verified against, and what is wrong with those that are named."""
    context = ssl.create_default_context()
    path = settings.target_ca_file
    if path is None:
        return context, []
    try:
        context.load_verify_locations(path)
    except OSError:
        return context, [
            Check(
                name="CA file",
                state="failed",
                message=f"{path} cannot be read as certificates.",
                advice="CHATHOOKS_TARGET_CA_FILE takes a file of certificates in PEM.",
            )
        ]
    return context, [Check(name="CA file", state="ok", message=f"{path} holds certificates.")]


async def run_checks(settings: Settings) -> list[Check]:
    """Look at everything, endpoints side by side."""
    checks = [Check(name="settings", state="ok", message="They can be used."), _clock()]
    checks += _folder(settings.data_dir)
    found, endpoints = await _any_store(settings)
    checks += found
    checks += await _nats(settings)
    tls, trust = _trust(settings)
    checks += trust
    if endpoints:
        policy = target_policy(settings)
        resolver = Resolver()
        places = asyncio.Semaphore(ENDPOINTS_AT_ONCE)

        async def one(webhook_id: str, url: str) -> Check:
            async with places:
                return await _endpoint(webhook_id, url, policy, resolver, tls)

        try:
            checks += await asyncio.gather(*(one(*endpoint) for endpoint in endpoints))
        finally:
            resolver.close()
    return checks
