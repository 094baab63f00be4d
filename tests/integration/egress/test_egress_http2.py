"""Where the endpoint offers HTTP/2 it is used, on one connection: nginx as endpoints really run it (contract §7)."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.certificates import Authority
from support.sending import Sender

pytestmark = pytest.mark.anyio

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
START_S_MAX = 10.0
REQUESTS = 40

CONF = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl{http2};
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        location / {{ return 200 "ok"; }}
    }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path, pem: Path, *, http2: bool) -> AsyncIterator[str]:
    """A running nginx; its URL."""
    assert NGINX is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conf = folder / "nginx.conf"
    conf.write_text(CONF.format(folder=folder, port=port, pem=pem, http2=" http2" if http2 else ""))
    process = await asyncio.create_subprocess_exec(
        NGINX, "-c", str(conf), "-p", str(folder), "-e", str(folder / "error.log")
    )
    try:
        async with asyncio.timeout(START_S_MAX):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)  # until it listens; bounded by the time-out
                    continue
                writer.close()
                break
        yield f"https://127.0.0.1:{port}/hook"
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture(autouse=True)
def installed() -> None:
    if NGINX is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")


@pytest.mark.parametrize(("http2", "version"), [(True, "2"), (False, "1.1")])
async def test_the_newest_version_that_the_endpoint_offers_is_spoken_on_kept_connections(
    tmp_path: Path, authority: Authority, sender: Sender, http2: bool, version: str
) -> None:
    async with nginx(tmp_path, authority.pem("127.0.0.1"), http2=http2) as url:
        first = await sender.post(url)
        rest = [await sender.post(url) for _ in range(REQUESTS)]
    assert {exchange.status for exchange in (first, *rest)} == {200}
    assert {exchange.http_version for exchange in (first, *rest)} == {version}
    assert all(exchange.connection_reused for exchange in rest)
    assert sender.client.connections_opened == 1


async def test_requests_side_by_side_share_an_http2_connection(
    tmp_path: Path, authority: Authority, sender: Sender
) -> None:
    async with nginx(tmp_path, authority.pem("127.0.0.1"), http2=True) as url:
        await sender.post(url)
        exchanges = await asyncio.gather(*(sender.post(url) for _ in range(REQUESTS)))
    assert {exchange.status for exchange in exchanges} == {200}
    assert sender.client.connections_opened == 1
