"""The throw-away authority vouches for loopback and can sign nothing else later."""

import datetime
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from chathooks.demo.certificates import Certificates, make_certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    return make_certificates(folder, datetime.datetime.now(datetime.UTC))


def shake_hands(made: Certificates, host: str) -> None:
    """A whole TLS handshake in memory; raises ssl.SSLError where the client does not trust the server."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(made.cert_file, made.key_file)
    client_context = ssl.create_default_context(cafile=str(made.ca_file))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    for _ in range(5):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_client_with_the_authority_trusts_the_endpoint(made: Certificates, host: str) -> None:
    shake_hands(made, host)


@pytest.mark.parametrize("host", ["example.com", "127.0.0.2"])
def test_no_other_host_is_vouched_for(made: Certificates, host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(made, host)


def test_the_key_of_the_authority_is_not_kept(made: Certificates) -> None:
    folder: Path = made.ca_file.parent
    assert {path.name for path in folder.iterdir()} == {"ca.pem", "endpoint.pem", "endpoint.key"}
    assert [path.name for path in folder.iterdir() if b"PRIVATE" in path.read_bytes()] == [
        "endpoint.key"
    ]
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600


def test_they_last_a_week_at_most(made: Certificates) -> None:
    for path in (made.ca_file, made.cert_file):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        lasts = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert lasts < datetime.timedelta(days=8)
