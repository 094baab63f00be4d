"""Throw-away certificates of the faulty endpoint: good ones, expired ones, and those of somebody else."""

import datetime
import ipaddress
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chathooks_receiver.tools.faults.modes import Certificate

LIFETIME_DAYS = 7
OWNER_ONLY = 0o600
OTHER_NAME = "somebody-else.example"

_DAY = datetime.timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _hosts(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    try:
        given = ipaddress.ip_address(host)
    except ValueError:
        return names if host == "localhost" else [*names, x509.DNSName(host)]
    return names if given.is_loopback or given.is_unspecified else [*names, x509.IPAddress(given)]


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
    )


def server_context(
    kind: Certificate, folder: Path, *, host: str, now: datetime.datetime
) -> ssl.SSLContext:
    """A server's TLS settings with a certificate of this kind for `host` and loopback; `ca.pem` in `folder` vouches for it.

    Key and certificate are written to `folder` too, readable by their owner only. Raises OSError.
    """
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("Chathooks faulty endpoint authority")
    authority = (
        _builder(ca_name, ca_name, ca_key)
        .not_valid_before(now - 30 * _DAY)
        .not_valid_after(now + LIFETIME_DAYS * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("faulty endpoint")
    alone = kind == "self-signed"
    names: list[x509.GeneralName] = (
        [x509.DNSName(OTHER_NAME)] if kind == "wrong-name" else _hosts(host)
    )
    until = now - _DAY if kind == "expired" else now + LIFETIME_DAYS * _DAY
    certificate = (
        _builder(subject, subject if alone else ca_name, key)
        .not_valid_before(now - 10 * _DAY)
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key if alone else ca_key, hashes.SHA256())
    )
    folder.joinpath("ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    path = folder / "endpoint.pem"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return context
