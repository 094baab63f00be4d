"""What is written down of an exchange says the same whether it is the common case or not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathooks.delivery.outcome import Outcome, classify
from chathooks.delivery.recording import attempt_detail, encoded_detail
from chathooks.delivery.records import AttemptDetail
from chathooks.egress.exchange import Exchange

_decode = msgspec.json.Decoder(AttemptDetail).decode
_times_ms = st.floats(min_value=0, max_value=2_500, allow_nan=False)


@given(_times_ms, _times_ms, st.sampled_from(["192.0.2.1", "2001:db8::1"]), st.booleans())
def test_a_kept_connection_is_recorded_as_any_other_to_the_microsecond(
    first_byte_ms: float, total_ms: float, ip: str, resent: bool
) -> None:
    exchange = Exchange(
        status=200,
        http_version="1.1",
        first_byte_ms=first_byte_ms,
        total_ms=total_ms,
        remote_ip=ip,
        connection_reused=True,
        resent=resent,
    )
    assert _decode(encoded_detail(exchange)) == attempt_detail(exchange)


@pytest.mark.parametrize(
    "exchange",
    [
        Exchange(status=204, http_version="2", dns_ms=1.5, connect_ms=0.25, remote_ip="192.0.2.1"),
        Exchange(status=None, detail='said "no"', connection_reused=True, remote_ip="192.0.2.1"),
        Exchange(status=200, http_version="1.1", connection_reused=True),
        Exchange(status=200, connection_reused=True, remote_ip="192.0.2.1"),
        Exchange(),
    ],
)
def test_an_unusual_exchange_is_recorded_whole(exchange: Exchange) -> None:
    assert _decode(encoded_detail(exchange)) == attempt_detail(exchange)


def test_only_a_200_without_a_failure_is_exactly_200() -> None:
    assert classify(200, None) == Outcome(True, True, 200, None)
    assert classify(202, None) == Outcome(True, False, 202, None)
    assert not classify(None, None).acknowledged
