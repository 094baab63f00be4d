"""The page about egress tells what the code does."""

from pathlib import Path

import pytest

from chathooks.egress import client, resolver, transfer
from chathooks.egress.failures import FailureKind

PAGE = (Path(__file__).parents[3] / "docs/explain/egress.md").read_text("utf-8")
FLAT = " ".join(PAGE.split())


@pytest.mark.parametrize("kind", FailureKind)
def test_each_failure_has_its_row(kind: FailureKind) -> None:
    assert f"| `{kind}` |" in PAGE


def test_the_limits_are_those_of_the_code() -> None:
    assert client.ATTEMPT_TIMEOUT_S == 2.0
    assert transfer.RESPONSE_BODY_READ_BYTES_MAX == 64 * 1024
    assert transfer.RESPONSE_BODY_KEPT_BYTES_MAX == 4 * 1024
    assert transfer.RESPONSE_HEADERS_BYTES_MAX == 32 * 1024
    assert client.EPOCH_S + client.ATTEMPT_TIMEOUT_S < transfer.CONNECTION_LIFETIME_S_MAX == 120
    assert client.EPOCH_S > transfer.CONNECTION_IDLE_S_MAX
    for words in (
        f"at least {resolver.TTL_S_MIN:g} s and at most {resolver.TTL_S_MAX:g} s",
        f"may have {resolver.LANE_LOOKUPS_MAX} look-ups under way",
        f"share {resolver.SUSPECT_LOOKUPS_MAX} among them",
    ):
        assert words in FLAT
