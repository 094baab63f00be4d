"""A kept HTTP/2 connection that ends before the answer allows one resend inside the attempt (delivery contract §3.2)."""

import pytest

from chathooks.egress.failures import FailureKind
from support.certificates import Authority
from support.http2_endpoint import http2_endpoint
from support.sending import Sender

pytestmark = pytest.mark.anyio

ENDS = ["goaway", "goaway-processed", "goaway-open", "close", "abort"]


@pytest.mark.parametrize("end", ENDS)
async def test_a_kept_connection_that_ends_unanswered_is_made_anew_once(
    authority: Authority, sender: Sender, end: str
) -> None:
    async with http2_endpoint(authority.pem("127.0.0.1")) as endpoint:
        first = await sender.post(endpoint.url)
        endpoint.script = [end]
        second = await sender.post(endpoint.url)
    assert (first.status, first.resent, first.http_version) == (200, False, "2")
    assert (second.status, second.resent) == (200, True)
    assert endpoint.requests == [(1, 1), (1, 3), (2, 1)]


@pytest.mark.parametrize("end", ENDS)
async def test_a_second_end_is_a_failed_attempt(
    authority: Authority, sender: Sender, end: str
) -> None:
    async with http2_endpoint(authority.pem("127.0.0.1")) as endpoint:
        await sender.post(endpoint.url)
        endpoint.script = [end, end]
        second = await sender.post(endpoint.url)
    assert (second.failure, second.resent) == (FailureKind.connection_reset, True)
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("end", ["goaway-processed", "goaway-open", "close"])
async def test_a_fresh_connection_that_ends_unanswered_is_not_sent_on_again(
    authority: Authority, sender: Sender, end: str
) -> None:
    async with http2_endpoint(authority.pem("127.0.0.1")) as endpoint:
        endpoint.script = [end]
        only = await sender.post(endpoint.url)
    assert (only.failure, only.resent) == (FailureKind.connection_reset, False)
    assert len(endpoint.requests) == 1


async def test_the_reset_of_one_stream_is_a_failed_attempt_and_the_connection_stays(
    authority: Authority, sender: Sender
) -> None:
    async with http2_endpoint(authority.pem("127.0.0.1")) as endpoint:
        await sender.post(endpoint.url)
        endpoint.script = ["cancel"]
        second = await sender.post(endpoint.url)
        third = await sender.post(endpoint.url)
    assert (second.failure, second.resent) == (FailureKind.connection_reset, False)
    assert (third.status, third.connection_reused) == (200, True)
    assert endpoint.requests == [(1, 1), (1, 3), (1, 5)]
