"""Endpoints are verified against one file: the system's authorities and the operator's."""

from pathlib import Path

import pytest

from chathooks.egress.trust import TrustFileError, TrustStore, system_bundle
from support.certificates import Authority


def test_without_an_extra_file_the_systems_own_is_used() -> None:
    store = TrustStore(None)
    assert store.path == system_bundle()
    store.close()


def test_the_extra_file_is_merged_into_one_that_close_removes(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    store = TrustStore(str(authority.ca_file))
    assert store.path is not None
    merged = Path(store.path)
    content = merged.read_bytes()
    assert authority.ca_file.read_bytes() in content
    system = system_bundle()
    assert system is None or content.startswith(Path(system).read_bytes())
    store.close()
    store.close()
    assert not merged.exists()
    assert authority.ca_file.exists()


def test_a_file_that_is_missing_or_holds_no_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrustFileError, match="cannot be read"):
        TrustStore(str(tmp_path / "missing.pem"))
    for content in (b"", b"no certificate", b"\xff\xfe"):
        broken = tmp_path / "broken.pem"
        broken.write_bytes(content)
        with pytest.raises(TrustFileError, match="PEM form"):
            TrustStore(str(broken))
