"""`chathooks doctor` finds what is wrong with a data directory and its endpoints, and changes nothing."""

import asyncio
import ipaddress
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from chathooks.app.build import SCHEMA_COMPATIBLE_FROM, STORE_FILE, newest_schema
from support.certificates import Authority
from support.command_line import Run, Shell
from support.endpoints.server import Connection, EndpointServer, free_port
from support.server import running

pytestmark = pytest.mark.anyio

ACCEPTED_S_MAX = 10.0
LOOPBACK = "127.0.0.0/8"
ALLOWED = {"CHATHOOKS_ALLOW_TARGET_NETWORKS": LOOPBACK, "CHATHOOKS_ALLOW_HTTP_TARGETS": "true"}


@pytest.fixture
def endpoints() -> Iterator[EndpointServer]:
    with EndpointServer() as server:
        yield server


async def silent(connection: Connection) -> None:
    await connection.until_closed()


@pytest.fixture
async def data_dir(tmp_path: Path) -> Path:
    """The data directory of a server that has stopped, with one app and no webhook."""
    async with running(tmp_path):
        pass
    return tmp_path / "data"


async def with_webhook(tmp_path: Path, url: str, *, enabled: bool = True) -> Path:
    """The data directory of a server that has stopped, with one webhook."""
    async with running(
        tmp_path,
        allow_http_targets=True,
        allow_target_networks=(ipaddress.ip_network(LOOPBACK),),
    ) as client:
        body = {"id": "w1", "name": "n", "webhookURL": url, "enabled": enabled}
        assert (await client.call("POST", "/webhooks", body)).status == 200
    return tmp_path / "data"


async def examine(folder: Path, variables: dict[str, str] | None = None) -> Run:
    shell = Shell(folder.parent, {"CHATHOOKS_DATA_DIR": str(folder), **(variables or {})})
    return await shell("doctor", "--json")


def found(run: Run) -> dict[str, dict[str, str]]:
    """Checks by name."""
    assert run.err == ""
    return {check["name"]: check for check in json.loads(run.out)}


async def test_a_sound_store_is_all_ok(data_dir: Path) -> None:
    before = {path.name: path.read_bytes() for path in data_dir.iterdir()}
    run = await examine(data_dir)
    assert run.code == 0
    checks = found(run)
    assert {"settings", "clock", "disk", "store"} <= set(checks)
    assert {check["state"] for check in checks.values()} == {"ok"}
    after = {path.name: path.read_bytes() for path in data_dir.iterdir()}
    assert {name: after[name] for name in before} == before


async def test_for_people_each_check_is_a_line(data_dir: Path) -> None:
    run = await Shell(data_dir.parent, {})("doctor", "--data-dir", str(data_dir))
    assert run.code == 0
    assert all(line.startswith("ok ") for line in run.lines)
    assert "is sound" in run.out


async def test_what_does_not_exist_yet_is_a_warning_and_is_not_made(tmp_path: Path) -> None:
    run = await examine(tmp_path / "none")
    assert run.code == 0
    assert found(run)["data directory"]["state"] == "warning"
    assert not (tmp_path / "none").exists()


async def test_a_data_directory_that_is_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = await examine(tmp_path / "file")
    assert run.code == 1
    assert "is not a folder" in found(run)["data directory"]["message"]


@pytest.mark.parametrize("name", ["credentials.toml", "secret.key"])
@pytest.mark.parametrize(("mode", "state"), [(0o644, "failed"), (0o660, "failed"), (0o700, None)])
async def test_keys_that_others_can_read_are_found(
    data_dir: Path, name: str, mode: int, state: str | None
) -> None:
    path = data_dir / name
    path.chmod(mode)
    run = await examine(data_dir)
    assert found(run).get(name, {}).get("state") == state
    assert run.code == (1 if state else 0)
    if state:
        assert found(run)[name]["advice"] == f"chmod 600 {path}"
    assert path.stat().st_mode & 0o777 == mode


async def test_credentials_that_are_no_toml_are_found(data_dir: Path) -> None:
    (data_dir / "credentials.toml").write_text("api_key = ")
    run = await examine(data_dir)
    assert run.code == 1
    assert "cannot be read" in found(run)["credentials.toml"]["message"]


@pytest.mark.parametrize("damage", ["no-database", "page", "empty"])
async def test_a_damaged_store_is_found(data_dir: Path, damage: str) -> None:
    path = data_dir / STORE_FILE
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    content = bytearray(path.read_bytes())
    if damage == "no-database":
        content = bytearray(b"not a database " * 500)
    elif damage == "empty":
        content = bytearray()
    else:
        for start in range(page_bytes, len(content), page_bytes):
            content[start : start + 100] = b"\xff" * 100
    path.write_bytes(content)
    run = await examine(data_dir)
    assert run.code == 1
    assert found(run)["store"]["state"] == "failed"
    assert "back-up" in found(run)["store"]["advice"]


async def test_a_folder_with_signs_of_a_url_in_its_name_is_read(tmp_path: Path) -> None:
    strange = tmp_path / "a?b#c%20"
    async with running(strange):
        pass
    run = await examine(strange / "data")
    assert run.code == 0
    assert found(run)["store"]["state"] == "ok"


async def test_an_endpoint_that_answers_the_connection_is_ok_and_gets_no_request(
    tmp_path: Path, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(silent)
    folder = await with_webhook(tmp_path, endpoint.url("/hook"))
    run = await examine(folder, ALLOWED)
    assert run.code == 0
    assert found(run)["endpoint w1"]["state"] == "ok"
    assert await asyncio.to_thread(endpoint.connected.wait, ACCEPTED_S_MAX)
    assert endpoint.connections == 1
    assert endpoint.requests == []


async def test_an_endpoint_that_nobody_listens_at_is_found(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/hook"
    run = await examine(await with_webhook(tmp_path, url), ALLOWED)
    assert run.code == 1
    check = found(run)["endpoint w1"]
    assert check["state"] == "failed"
    assert url in check["message"]
    assert "refused" in check["message"].lower()


async def test_a_disabled_webhook_is_left_alone(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/hook"
    run = await examine(await with_webhook(tmp_path, url, enabled=False), ALLOWED)
    assert run.code == 0
    assert "endpoint w1" not in found(run)


async def test_an_address_that_is_not_allowed_is_found_and_not_called(
    tmp_path: Path, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(silent)
    folder = await with_webhook(tmp_path, endpoint.url("/hook"))
    for variables in ({}, {**ALLOWED, "CHATHOOKS_ALLOW_TARGET_NETWORKS": "10.0.0.0/8"}):
        run = await examine(folder, variables)
        assert run.code == 1
        check = found(run)["endpoint w1"]
        assert check["state"] == "failed"
        assert "CHATHOOKS_ALLOW_TARGET_NETWORKS" in check["advice"]
    assert endpoint.connections == 0


async def test_a_certificate_counts_by_the_authorities_that_are_named(
    tmp_path: Path, endpoints: EndpointServer
) -> None:
    authority = Authority(tmp_path)
    endpoint = endpoints.listen(silent, tls=authority.context("127.0.0.1"))
    folder = await with_webhook(tmp_path, endpoint.url("/hook"))
    trusted = {**ALLOWED, "CHATHOOKS_TARGET_CA_FILE": str(authority.ca_file)}
    assert (await examine(folder, trusted)).code == 0
    unknown = found(await examine(folder, ALLOWED))["endpoint w1"]
    assert unknown["state"] == "failed"
    assert "certificate" in unknown["message"]
    assert "CHATHOOKS_TARGET_CA_FILE" in unknown["advice"]


async def test_a_ca_file_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    url = f"https://127.0.0.1:{free_port()}/hook"
    folder = await with_webhook(tmp_path, url)
    run = await examine(folder, {**ALLOWED, "CHATHOOKS_TARGET_CA_FILE": str(tmp_path / "no.pem")})
    assert run.code == 1
    assert "cannot be read" in found(run)["CA file"]["message"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CHATHOOKS_PORT": "many"}, "CHATHOOKS_PORT"),
        ({"CHATHOOKS_ALLOW_TARGET_NETWORKS": "here"}, "CHATHOOKS_ALLOW_TARGET_NETWORKS"),
    ],
)
async def test_settings_that_cannot_be_used_end_with_2(
    data_dir: Path, variables: dict[str, str], said: str
) -> None:
    run = await examine(data_dir, variables)
    assert (run.code, run.out) == (2, "")
    assert said in run.err


async def test_a_settings_file_is_read_and_one_that_is_missing_refused(data_dir: Path) -> None:
    shell = Shell(data_dir.parent, {})
    file = data_dir.parent / "mine.toml"
    file.write_text(f'data_dir = "{data_dir}"\n')
    assert (await shell("doctor", "--config", str(file), "--json")).code == 0
    assert (await shell("doctor", "--config", str(file) + "x")).code == 2


async def test_a_store_that_is_served_can_be_examined(tmp_path: Path) -> None:
    async with running(tmp_path):
        run = await examine(tmp_path / "data")
    assert run.code == 0
    assert found(run)["store"]["state"] == "ok"


@pytest.mark.parametrize(
    ("ahead", "compatible", "state"),
    [(-1, None, "ok"), (0, None, "ok"), (2, 0, "warning"), (2, 1, "failed"), (2, None, "failed")],
)
async def test_the_schema_of_the_store_is_compared_with_the_program_s(
    data_dir: Path, ahead: int, compatible: int | None, state: str
) -> None:
    newest = newest_schema()
    connection = sqlite3.connect(data_dir / STORE_FILE, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {newest + ahead}")
    connection.execute("DELETE FROM meta WHERE name = ?", (SCHEMA_COMPATIBLE_FROM,))
    if compatible is not None:
        fact = (SCHEMA_COMPATIBLE_FROM, str(newest + compatible))
        connection.execute("INSERT INTO meta VALUES (?, ?)", fact)
    connection.close()
    run = await examine(data_dir)
    assert found(run)["schema"]["state"] == state
    assert str(newest + ahead) in found(run)["schema"]["message"]
