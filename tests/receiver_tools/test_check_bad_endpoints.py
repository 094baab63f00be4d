"""Each bad endpoint is found out, by the check that is there for it and by no other."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chathooks_receiver.testing import TEST_CREDENTIALS, TEST_SECRET
from chathooks_receiver.tools.checks.certify import Report, certify, choose
from chathooks_receiver.tools.checks.contract import Limits, Probe
from chathooks_receiver.tools.identity import Identity
from chathooks_receiver.tools.target import parse_target
from receiver_tools.conftest import Tls
from support import bad_receivers as bad
from support.receiver_server import App, kit, serving_app

LIMITS = Limits(
    timeout_s=20.0,  # these endpoints are not judged by the time they take
    load_requests=24,
    load_connections=16,
    slow_connections=4,
    huge_body_bytes=2 * 1024 * 1024,
    local=True,
)
IN_TIME = replace(LIMITS, timeout_s=2.0)
KNOWN = Identity(credentials=TEST_CREDENTIALS, secret=TEST_SECRET)

BAD: dict[str, tuple[Callable[[], App], set[str]]] = {
    "answers 201": (bad.created, {"status-200"}),
    "checks nothing": (
        bad.open_to_all,
        {
            "authentication",
            "basic-auth-missing",
            "basic-auth-wrong",
            "signature-missing",
            "signature-wrong",
            "old-timestamp",
        },
    ),
    "checks the signature only": (bad.no_basic, {"basic-auth-missing", "basic-auth-wrong"}),
    "checks the user name only": (bad.user_name_only, {"basic-auth-wrong"}),
    "checks no signature": (
        bad.no_signature,
        {"signature-missing", "signature-wrong", "old-timestamp"},
    ),
    "takes old signatures": (bad.timeless, {"old-timestamp"}),
    "refuses duplicates": (bad.refuses_duplicates, {"duplicates"}),
    "crashes on bad JSON": (bad.crashes_on_bad_json, {"bad-json"}),
    "shows stack traces": (bad.shows_traces, {"discreet-errors"}),
    "refuses unknown triggers": (bad.strict_triggers, {"unknown-trigger"}),
    "knows few triggers": (bad.few_triggers, {"all-triggers"}),
    "refuses unknown fields": (bad.strict_fields, {"unknown-fields"}),
    "takes no emoji": (bad.latin_only, {"unicode", "all-triggers"}),
    "takes small bodies only": (bad.small_bodies, {"large-message"}),
    "takes bodies of any size": (bad.any_size, {"huge-body"}),
    "takes any method": (bad.any_method, {"only-post"}),
    "takes any type": (bad.any_type, {"content-type"}),
    "wants events in order": (bad.in_order_only, {"out-of-order"}),
    "is slow under load": (bad.one_at_a_time, {"under-load"}),
    "has moved": (bad.moved, {"accepts-delivery"}),
}


def judged(
    url: str,
    *only: str,
    ca_file: Path | None = None,
    who: Identity = KNOWN,
    limits: Limits = LIMITS,
) -> Report:
    async def work() -> Report:
        probe = Probe(parse_target(url, ca_file), who, limits, seed=1)
        try:
            return await certify(probe, choose(only, []), told=lambda check, judgement: None)
        finally:
            await probe.close()

    return asyncio.run(work())


def failures(report: Report) -> dict[str, str]:
    return {item.id: item.detail for item in report.judgements if item.state == "failed"}


@pytest.mark.parametrize("what", BAD)
def test_an_endpoint_is_found_out_by_the_right_check(what: str) -> None:
    make, expected = BAD[what]
    skip = () if what == "is slow under load" else ("in-time", "under-load")
    with serving_app(make()) as url:
        only = [check.id for check in choose([], skip) if check.id not in skip]
        if what == "is slow under load":
            only = ["reachable", "accepts-delivery", "in-time", "under-load"]
        report = judged(url, *only, limits=IN_TIME if what == "is slow under load" else LIMITS)
    assert set(failures(report)) == expected, failures(report)
    advice = {item.id: item.advice for item in report.judgements if item.state == "failed"}
    assert all(advice.values())


def test_an_endpoint_that_is_slow_now_and_then_is_found_out() -> None:
    with serving_app(bad.slow_now_and_then()) as url:
        report = judged(url, "reachable", "accepts-delivery", "in-time", limits=IN_TIME)
    assert set(failures(report)) == {"in-time"}
    assert report.grade == "F"


def test_an_expired_certificate_is_found_out(tls: Tls) -> None:
    with serving_app(kit().app, pem=tls.authority.pem("127.0.0.1", expired=True)) as url:
        report = judged(url, ca_file=tls.ca_file)
    assert set(failures(report)) == {"certificate"}
    assert "expired" in failures(report)["certificate"]


def test_a_certificate_of_another_host_is_found_out(tls: Tls) -> None:
    with serving_app(kit().app, pem=tls.authority.pem("somebody.example")) as url:
        report = judged(url, ca_file=tls.ca_file)
    assert set(failures(report)) == {"certificate"}


def test_plain_http_and_a_private_address_are_found_out() -> None:
    with serving_app(kit().app) as url:
        report = judged(url, "https", "public-address", "reachable", limits=Limits())
    assert set(failures(report)) == {"https", "public-address"}


def test_a_server_of_one_connection_at_a_time_is_found_out() -> None:
    with bad.single_threaded() as url:
        report = judged(url, "reachable", "accepts-delivery", "slow-sender", limits=IN_TIME)
    assert set(failures(report)) == {"slow-sender"}


def test_a_server_that_reads_once_is_found_out() -> None:
    async def work() -> Report:
        async with bad.one_read() as url:
            probe = Probe(parse_target(url), KNOWN, LIMITS, seed=1)
            chosen = choose(["reachable", "accepts-delivery", "split-request", "header-case"], [])
            return await certify(probe, chosen, told=lambda check, judgement: None)

    report = asyncio.run(work())
    assert set(failures(report)) == {"split-request", "header-case"}


def test_a_check_that_hangs_is_ended_and_the_report_says_that_it_is_not_complete() -> None:
    with serving_app(bad.slow_now_and_then()) as url:

        async def work() -> Report:
            probe = Probe(parse_target(url), KNOWN, IN_TIME, seed=1)
            chosen = choose(["reachable", "accepts-delivery", "all-triggers", "unicode"], [])
            try:
                return await certify(
                    probe, chosen, time_max_s=4.0, told=lambda check, judgement: None
                )
            finally:
                await probe.close()

        report = asyncio.run(work())
    states = {item.id: item.state for item in report.judgements}
    assert states["all-triggers"] == "failed"
    assert states["unicode"] == "skipped"
    assert not report.complete
