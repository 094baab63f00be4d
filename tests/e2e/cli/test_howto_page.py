"""The commands of the how-to page do what it says, one after the other, on a fresh server."""

import asyncio
import ipaddress
import re
import shlex
from pathlib import Path

import pytest

from support.command_line import Shell
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client, running

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "use-the-command-line.md"
BLOCK = re.compile(r"<!-- run: commands -->\n```sh\n(.*?)```", re.DOTALL)
ENDPOINT = "http://127.0.0.1:9000/hook"


async def all_delivered(client: Client) -> None:
    async with asyncio.timeout(20):
        while True:
            found = (await client.call("GET", "/webhooks/orders/deliveries")).data
            if found and all(item["state"] == "delivered" for item in found):
                return
            await asyncio.sleep(0.02)


async def test_every_command_of_the_page_succeeds(tmp_path: Path) -> None:
    lines = "".join(BLOCK.findall(PAGE.read_text("utf-8"))).splitlines()
    assert len(lines) > 10
    async with (
        ScriptedEndpoint() as endpoint,
        running(
            tmp_path,
            allow_http_targets=True,
            allow_target_networks=(ipaddress.ip_network("127.0.0.0/8"),),
        ) as client,
    ):
        variables = {
            "CHATHOOKS_URL": client.url,
            "CHATHOOKS_DATA_DIR": str(tmp_path / "data"),
        }
        shell = Shell(tmp_path, variables)
        for line in lines:
            command, *arguments = shlex.split(line)
            assert command == "chathooks"
            run = await shell(*(item.replace(ENDPOINT, endpoint.url()) for item in arguments))
            assert run.code == 0, f"{line}: {run.err}"
            assert run.out.strip()
            assert "None." not in run.out
            if arguments[0] == "messages":
                await all_delivered(client)
