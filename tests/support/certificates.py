"""Throw-away certificates for TLS endpoints in tests."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _san(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@dataclass
class Authority:
    """A certificate authority that lives as long as a test run.

    Args:
        folder: where certificate and key files are written.
        lifetime_days: how long from now they are valid.
    """

    folder: Path
    lifetime_days: int = 1

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Throw-away test authority")
        key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_now() - DAY)
            .not_valid_after(_now() + self.lifetime_days * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(key_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def context(
        self, *hosts: str, expired: bool = False, self_signed: bool = False
    ) -> ssl.SSLContext:
        """A server's TLS context with a certificate for `hosts`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem(*hosts, expired=expired, self_signed=self_signed))
        return context

    def pem(self, *hosts: str, expired: bool = False, self_signed: bool = False) -> Path:
        """A file with a key and a certificate for `hosts`."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = _now() - DAY if expired else _now() + self.lifetime_days * DAY
        subject = _name(hosts[0])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if self_signed else self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_now() - 3 * DAY)
            .not_valid_after(until)
            .add_extension(
                x509.SubjectAlternativeName([_san(host) for host in hosts]), critical=False
            )
            .sign(key if self_signed else self._key, hashes.SHA256())
        )
        path = self.folder / f"{certificate.serial_number:x}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path
