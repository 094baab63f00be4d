"""The endpoint that answers 200 to everything over TLS: nginx where it is installed, else a small loop of our own.

It runs in a process of its own, so its CPU time is nobody's figure. It is started here on a free loopback port and
ended by its process id.
"""

import asyncio
import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.certificate import Certificate, make_certificate

START_S_MAX = 10.0
STOP_S_MAX = 5.0
POLL_S = 0.02
KEPT_REQUESTS = 1_000_000_000
"""Requests that nginx serves on a connection: in effect all."""

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"

_NGINX_CONF = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests {kept};
    keepalive_timeout 3600s;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        default_type text/plain;
        location / {{ return 200 "ok"; }}
    }}
}}
"""


@dataclass(frozen=True)
class Endpoint:
    """A running endpoint."""

    kind: str
    port: int
    ca_file: Path


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx_binary() -> str | None:
    """Where nginx is, or None."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def _nginx(binary: str, folder: Path, port: int, made: Certificate) -> list[str]:
    text = _NGINX_CONF.format(
        folder=folder, port=port, cert=made.cert_file, key=made.key_file, kept=KEPT_REQUESTS
    )
    conf = folder / "nginx.conf"
    conf.write_text(text)
    return [binary, "-c", str(conf), "-p", str(folder), "-e", str(folder / "error.log")]


def wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a process that was just started listens. Raises RuntimeError where it ends or takes too long."""
    give_up = time.monotonic() + START_S_MAX
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"a server ended at its start with status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(POLL_S)
    raise RuntimeError("a server does not listen")


@contextlib.contextmanager
def running_endpoint(folder: Path) -> Iterator[Endpoint]:
    """Run an endpoint while the block runs; its files are kept in `folder`.

    Raises:
        RuntimeError: it does not start.
    """
    made = make_certificate(folder)
    port = free_port()
    binary = nginx_binary()
    if binary is not None:
        kind = "nginx over TLS"
        command = _nginx(binary, folder, port, made)
    else:
        kind = "asyncio/uvloop over TLS"
        command = [sys.executable, "-m", "benchmarks.endpoint", str(port)]
        command += [str(made.cert_file), str(made.key_file)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until_listening(process, port)
        yield Endpoint(kind, port, made.ca_file)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _Answering(asyncio.Protocol):
    """Answers each request once its body has arrived whole; requests are not pipelined."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._got = b""

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._got[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._got) >= end + 4 + length:
            self._got = b""
            self._transport.write(_ANSWER)


async def _serve(port: int, cert_file: str, key_file: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(_Answering, "127.0.0.1", port, ssl=context)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
