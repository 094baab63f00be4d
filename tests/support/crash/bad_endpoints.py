"""Thirty bad endpoints in a process of their own, so that their work is not the test's: `python -m …`.

Prints one JSON object and lives until its stdin closes: `{"nameserver": address, "ca_file": path, "urls": […]}`.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from support.certificates import Authority
from support.endpoints.behaviours import by_path, mute, reset_on_accept, sending
from support.endpoints.server import EndpointServer, free_port
from support.nameserver import NameServer, addresses, failing, silent

SERVFAIL = 2
PATHS = (
    "/hang",
    "/reset",
    "/close",
    "/drip-headers",
    "/drip-body",
    "/late",
    "/endless-body",
    "/body-too-short",
    "/endless-headers",
    "/huge-header",
    "/garbage",
    "/endless-interim",
    "/slow-interim",
    "/status/301",
    "/status/500",
    "/status/404",
)


def main() -> None:
    os.nice(19)  # they stand for other machines: their work must not take this one's
    with tempfile.TemporaryDirectory() as folder, EndpointServer() as server, NameServer() as names:
        authority = Authority(Path(folder))
        plain = server.listen(by_path)
        names.zone = {
            "good-name.test": addresses("good-name.test", "127.0.0.1"),
            "wrong-name.test": addresses("wrong-name.test", "127.0.0.1"),
            "expired.test": addresses("expired.test", "127.0.0.1"),
            "private.test": addresses("private.test", "10.1.2.3"),
            "servfail.test": failing(SERVFAIL),
            **{f"hole{place}.void{place}.test": silent for place in range(4)},
        }
        expired = server.listen(by_path, tls=authority.context("expired.test", expired=True))
        other = server.listen(by_path, tls=authority.context("another.test"))
        unsigned = server.listen(by_path, tls=authority.context("good-name.test", self_signed=True))
        urls = [
            *(plain.url(path) for path in PATHS),
            f"http://127.0.0.1:{free_port()}/refused",
            server.listen(reset_on_accept).url("/reset-on-accept"),
            server.listen(sending(b"\x15\x03\x01\x00\x02\x02\x50")).url("/not-http"),
            server.listen(mute).url("/mute").replace("http:", "https:"),
            expired.url("/expired", "expired.test"),
            other.url("/wrong-name", "wrong-name.test"),
            unsigned.url("/self-signed", "good-name.test"),
            plain.url("/tls-to-plain").replace("http:", "https:"),
            "https://nowhere.test:8443/nxdomain",
            "https://servfail.test:8443/servfail",
            *(f"https://hole{place}.void{place}.test:8443/black-hole" for place in range(4)),
            "https://private.test:8443/refused-address",
        ]
        said = {"nameserver": names.address, "ca_file": str(authority.ca_file), "urls": urls}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
