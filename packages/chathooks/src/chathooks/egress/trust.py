"""The certificate authorities that endpoints are verified against, as one file.

libcurl keeps its parsed store between connections only where everything comes from one `CAINFO` file; a
directory or an in-memory blob would be parsed anew for each connection.
"""

import os
import ssl
import tempfile
from importlib.util import find_spec
from pathlib import Path

WELL_KNOWN_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


class TrustFileError(Exception):
    """The extra CA file cannot be used; the message says why."""


class TrustStore:
    """The system's authorities plus an optional file of more.

    Args:
        extra_file: PEM file (`CHATHOOKS_TARGET_CA_FILE`), or None.

    Raises:
        TrustFileError: `extra_file` cannot be read or holds no certificate.
    """

    def __init__(self, extra_file: str | None) -> None:
        self._temporary: Path | None = None
        self.path = system = system_bundle()
        if extra_file is None:
            return
        extra = _read_certificates(extra_file)
        merged = extra if system is None else Path(system).read_bytes() + b"\n" + extra
        handle, name = tempfile.mkstemp(prefix="chathooks-ca-", suffix=".pem")
        with os.fdopen(handle, "wb") as file:
            file.write(merged)
        self._temporary = Path(name)
        self.path = name

    def close(self) -> None:
        """Remove the merged file."""
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None


def system_bundle() -> str | None:
    """Path of the system's bundle, else of certifi's where that is installed, else None."""
    named = ssl.get_default_verify_paths().cafile
    for candidate in (named or WELL_KNOWN_BUNDLES[0], *WELL_KNOWN_BUNDLES):
        if Path(candidate).is_file():
            return candidate
    spec = find_spec("certifi")
    if spec is not None and spec.origin is not None:
        bundle = Path(spec.origin).with_name("cacert.pem")
        if bundle.is_file():
            return str(bundle)
    return None


def _read_certificates(extra_file: str) -> bytes:
    try:
        content = Path(extra_file).read_bytes()
    except OSError as exc:
        raise TrustFileError(f"The CA file {extra_file} cannot be read: {exc.strerror}.") from exc
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
            cadata=content.decode("ascii")
        )
    except (ssl.SSLError, ValueError) as exc:
        raise TrustFileError(
            f"The CA file {extra_file} must hold certificates in PEM form."
        ) from exc
    return content
