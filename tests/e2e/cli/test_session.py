"""Where commands find the server and its key, how they end, and what they never print."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from chathooks.cli.main import app
from support.certificates import Authority
from support.command_line import COLUMNS, RUN_TIMEOUT_S, Run, Shell
from support.endpoints.server import Connection, EndpointServer, free_port
from support.server import Client, running

pytestmark = pytest.mark.anyio


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(leaves(typer.main.get_command(app)))
CALLING = {
    path: command
    for path, command in COMMANDS.items()
    if path[0] not in ("serve", "demo", "doctor", "migrate")
}


async def test_the_key_is_found_in_the_data_directory(server: Client, tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        found = Shell(tmp_path, {"CHATHOOKS_URL": client.url})
        by_option = await found("users", "list", "--data-dir", str(tmp_path / "data"))
        assert by_option.code == 0
        variables = {**found.variables, "CHATHOOKS_DATA_DIR": str(tmp_path / "data")}
        assert (await Shell(tmp_path, variables)("users", "list")).code == 0
        other = {**variables, "CHATHOOKS_API_KEY": "0" * 40}
        assert (await Shell(tmp_path, other)("users", "list")).code == 1
        elsewhere = await Shell(tmp_path, variables)("users", "list", "--url", server.url)
        assert elsewhere.code == 1
        assert elsewhere.err.startswith("AUTH_ERR_")


async def test_an_option_counts_before_a_variable(shell: Shell, server: Client) -> None:
    wrong = Shell(shell.folder, {"CHATHOOKS_URL": "http://127.0.0.1:1", "CHATHOOKS_API_KEY": "0"})
    key = server.credentials.api_key
    right = await wrong("users", "list", "--url", server.url, "--api-key", key)
    assert right.code == 0


async def test_an_app_that_is_not_the_keys_is_refused(shell: Shell, server: Client) -> None:
    good = await shell("users", "list", "--app-id", server.credentials.app_id)
    assert good.code == 0
    bad = await shell("users", "list", "--app-id", "other")
    assert bad.code == 1
    assert "--app-id" in bad.err


async def test_no_key_or_an_unreadable_file_is_bad_usage(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"CHATHOOKS_DATA_DIR": str(tmp_path)})
    missing = await shell("users", "list")
    assert missing.code == 2
    assert missing.err.startswith("ERR_NO_API_KEY ")
    assert "CHATHOOKS_API_KEY" in missing.err
    file = tmp_path / "credentials.toml"
    for text in ('app_id = "a"\n', "api_key = 7\n"):
        file.write_text(text)
        assert (await shell("users", "list")).err.startswith("ERR_NO_API_KEY ")
    for content in (b"api_key = ", b"\xff"):
        file.write_bytes(content)
        run = await shell("users", "list")
        assert run.code == 2
        assert run.err.startswith("ERR_CREDENTIALS ")


async def test_a_server_that_is_not_there_ends_with_3_its_url_and_how_to_start_it(
    shell: Shell,
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in (("users", "list"), ("events", "follow"), ("deliveries", "follow", "w")):
        run = await shell(*arguments, "--url", url)
        assert (run.code, run.out) == (3, "")
        assert f"{url} cannot be reached: connection refused" in run.err
        assert "chathooks serve" in run.err


async def test_a_gateways_page_ends_with_1(shell: Shell) -> None:
    async def gateway(connection: Connection) -> None:
        await connection.request()
        await connection.answer(502, b"<html>\x1b[2J</html>", ("Content-Type: text/html",))

    with EndpointServer() as endpoints:
        run = await shell("users", "list", "--url", endpoints.listen(gateway).url())
    assert (run.code, run.out) == (1, "")
    assert "HTTP 502 with text/html" in run.err


async def test_an_error_cannot_steer_the_terminal(shell: Shell) -> None:
    body = (
        b'{"error":{"code":"\\u001b[1m","message":"a\\u001b]0;x\\u0007","details":{"\\u009b":"b"}}}'
    )

    async def hostile(connection: Connection) -> None:
        await connection.request()
        await connection.answer(400, body)

    with EndpointServer() as endpoints:
        run = await shell("users", "list", "--url", endpoints.listen(hostile).url())
    assert run.code == 1
    assert not {"\x1b", "\x07", "\x9b"} & set(run.err)


async def test_https_with_an_authority_of_ones_own(shell: Shell, tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def empty(connection: Connection) -> None:
        while await connection.request() is not None:
            await connection.answer(200, b'{"data":[]}')

    with EndpointServer() as endpoints:
        url = endpoints.listen(empty, tls=authority.context("127.0.0.1")).url()
        trusted = await shell("users", "list", "--url", url, "--ca-file", str(authority.ca_file))
        assert (trusted.code, trusted.out) == (0, "None.\n")
        unknown = await shell("users", "list", "--url", url)
        assert unknown.code == 3
        assert "--ca-file" in unknown.err


async def test_the_key_is_never_printed(shell: Shell, server: Client) -> None:
    key = server.credentials.api_key
    runs: list[Run] = [
        await shell("users", "list", "--help"),
        await shell("users", "list"),
        await shell("users", "list", "--limit", "x", "--api-key", key),
        await shell("users", "get", "nobody", "--api-key", key),
        await shell("users", "list", "--url", "http://127.0.0.1:1", "--api-key", key),
        await shell("users", "list", "--api-key", f"{key}\n"),
        await shell("users", "list", "--data-dir", "/nowhere", "--api-key", ""),
    ]
    assert [run.code for run in runs] == [0, 0, 2, 1, 3, 2, 2]
    assert not any(key in run.out + run.err for run in runs)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
async def test_help_has_examples_that_the_command_takes(
    path: tuple[str, ...], tmp_path: Path
) -> None:
    run = await Shell(tmp_path, {})(*path, "--help")
    assert run.code == 0
    assert "Examples:" in run.out
    assert f"chathooks {' '.join(path)}" in run.out
    assert max(len(line) for line in run.lines) <= COLUMNS


@pytest.mark.parametrize("path", CALLING, ids=" ".join)
def test_commands_that_call_take_the_same_options(path: tuple[str, ...]) -> None:
    flags = {flag for item in CALLING[path].params for flag in item.opts}
    assert {"--json", "--url", "--data-dir", "--ca-file"} <= flags
    managed = {"--management-key", "--management-secret"}
    assert (managed if path[0] == "apps" else {"--api-key", "--app-id"}) <= flags


def in_a_process(
    shell: Shell, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chathooks", *arguments],
        env={**shell.environment, **variables},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )


async def test_python_m_chathooks_is_the_command(shell: Shell) -> None:
    run = await asyncio.to_thread(in_a_process, shell, "users", "get", "nobody")
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("ERR_UID_NOT_FOUND")


async def test_the_shell_can_complete_commands(tmp_path: Path) -> None:
    completing = {
        "_CHATHOOKS_COMPLETE": "complete_bash",
        "COMP_WORDS": "chathooks deliveries re",
        "COMP_CWORD": "2",
    }
    command = Path(sys.executable).with_name("chathooks")
    run = await asyncio.to_thread(
        subprocess.run,
        [command],
        env={**Shell(tmp_path, {}).environment, **completing},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert run.stdout.split() == ["replay", "replays", "replay-status", "replay-stop"]


async def test_completion_is_installed_for_the_shell(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("chathooks")
    variables = {"HOME": str(tmp_path), "SHELL": "/bin/bash"}
    run = await asyncio.to_thread(
        subprocess.run,
        ["bash", "--norc", "-c", f'"{command}" --install-completion; exit $?'],
        env={**Shell(tmp_path, {}).environment, **variables},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    shown = await asyncio.to_thread(
        subprocess.run,
        ["bash", "--norc", "-c", "source ~/.bashrc && complete -p chathooks"],
        env={**Shell(tmp_path, {}).environment, **variables},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=True,
    )
    assert "chathooks" in shown.stdout
