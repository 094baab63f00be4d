"""`check` finds nothing wrong with endpoints that do everything right."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from chathooks_receiver.testing import TEST_SECRET
from chathooks_receiver.tools.checks.catalogue import CHECKS
from receiver_tools.conftest import Tls
from support.receiver_command import ReceiverShell
from support.receiver_server import PASSWORD, USERNAME, kit, serving_app

# Twenty seconds: a machine that runs tests may stall for two, and the kit is not to blame.
PROOF = ("--timeout", "20", "--username", USERNAME, "--password", PASSWORD, "--secret", TEST_SECRET)


def test_the_kit_behind_tls_gets_grade_a(shell: ReceiverShell, tls: Tls, tmp_path: Path) -> None:
    junit = tmp_path / "report.xml"
    good = kit()
    with serving_app(good.app, pem=tls.pem) as url:
        run = shell.run(
            "check", url, *PROOF, "--ca-file", str(tls.ca_file), "--local",
            "--at-least", "A", "--junit", str(junit), "--json",
        )  # fmt: skip
    report = run.json
    wrong = {
        item["id"]: item["detail"] for item in report["judgements"] if item["state"] == "failed"
    }
    assert wrong == {}
    assert (run.code, report["grade"], report["complete"]) == (0, "A", True)
    skipped = {item["id"] for item in report["judgements"] if item["state"] == "skipped"}
    assert skipped == {"public-address"}
    assert [item["id"] for item in report["judgements"]] == [check.id for check in CHECKS]
    assert len(good.sink.arrivals) > len(CHECKS)
    suite = ElementTree.fromstring(junit.read_text("utf-8"))  # noqa: S314 - our own document
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    assert suite.get("tests") == str(len(CHECKS))


def test_an_endpoint_of_cometchats_kind_gets_grade_a_without_signatures(
    shell: ReceiverShell, tls: Tls
) -> None:
    with serving_app(kit(secrets=[]).app, pem=tls.pem) as url:
        run = shell.run(
            "check", url, "--as", "cometchat", "--timeout", "20", "--username", USERNAME, "--password", PASSWORD,
            "--ca-file", str(tls.ca_file), "--local", "--at-least", "A",
        )  # fmt: skip
    assert run.code == 0, run.out
    assert "Grade A" in run.out
    assert "No --secret was given" in run.out


def test_the_report_for_people_says_what_to_do(shell: ReceiverShell) -> None:
    with serving_app(kit(credentials=[], secrets=[]).app) as url:
        run = shell.run(
            "check",
            url,
            "--local",
            "--skip",
            "under-load",
            "--skip",
            "huge-body",
            "--timeout",
            "20",
        )
    assert run.code == 1
    assert "Grade F" in run.out
    assert "Anybody may send" in run.out
    assert "→ Configure Basic auth" in run.out
    assert "under-load" not in run.out
    assert PASSWORD not in run.out + run.err


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_endpoint_that_is_not_there_ends_with_3(shell: ReceiverShell, scheme: str) -> None:
    run = shell.run("check", f"{scheme}://127.0.0.1:1/", "--json", "--local")
    assert run.code == 3
    states = {item["id"]: item["state"] for item in run.json["judgements"]}
    assert states["reachable"] == "failed"
    assert set(states.values()) <= {"failed", "skipped", "passed"}
    assert states["accepts-delivery"] == states["under-load"] == "skipped"


def test_only_the_named_checks_run(shell: ReceiverShell, tls: Tls) -> None:
    with serving_app(kit().app, pem=tls.pem) as url:
        run = shell.run(
            "check", url, *PROOF, "--ca-file", str(tls.ca_file),
            "--only", "in-time", "--only", "unicode", "--json",
        )  # fmt: skip
    assert [item["id"] for item in run.json["judgements"]] == ["in-time", "unicode"]
    assert run.json["grade"] == "A"


def test_a_certificate_of_an_unknown_authority_is_found(shell: ReceiverShell, tls: Tls) -> None:
    with serving_app(kit().app, pem=tls.pem) as url:
        run = shell.run("check", url, *PROOF, "--json")
    states = {item["id"]: item["state"] for item in run.json["judgements"]}
    assert states["certificate"] == "failed"
    assert states["accepts-delivery"] == "skipped"
    assert (run.code, run.json["grade"]) == (1, "F")
