"""The command `chathooks-receiver` as people meet it: help, mistakes, Ctrl-C, and what to install."""

import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import typer.main

from chathooks_receiver.cli.entry import NEEDED
from chathooks_receiver.cli.main import app
from chathooks_receiver.cli.terminal import printable
from chathooks_receiver.tools.checks.catalogue import CHECKS, CHECKS_BY_ID
from chathooks_receiver.tools.checks.certify import Judgement, grade
from chathooks_receiver.tools.failures import ToolFailed
from chathooks_receiver.tools.target import parse_target
from support.faulty_endpoints import FaultyEndpoints
from support.receiver_command import ReceiverShell

ENDS_WITHIN_S = 40.0
ROOT = Path(__file__).parents[2]
GROUP: Any = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)


def test_the_commands_are_all_there() -> None:
    assert {"trigger", "simulate", "listen", "check", "faulty"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples_that_begin_with_the_command(
    shell: ReceiverShell, command: str
) -> None:
    run = shell.run(command, "--help")
    assert run.code == 0
    assert "Examples" in run.out
    assert f"chathooks-receiver {command}" in " ".join(run.out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_use_options_that_exist(command: str) -> None:
    parsed = GROUP.commands[command]
    known = {flag for option in parsed.params for flag in (*option.opts, *option.secondary_opts)}
    lines = [line.strip() for line in (parsed.help or "").splitlines()]
    examples = [line for line in lines if line.startswith("chathooks-receiver ")]
    assert examples
    for example in examples:
        used = {word for word in example.split() if word.startswith("--")}
        assert used <= known, example


def test_the_script_is_installed_and_tells_its_version() -> None:
    script = Path(sys.executable).with_name("chathooks-receiver")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("chathooks-receiver 0.")


def test_completion_can_be_installed(shell: ReceiverShell) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "chathooks_receiver", "--show-completion", "bash"],
        capture_output=True,
        text=True,
        env={**shell.environment, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        check=True,
    )
    assert "complete" in process.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("trigger message_s", "message_sent"),
        ("simulate sup", "support-desk"),
        ("check --only basic-auth-m", "basic-auth-missing"),
        ("li", "listen"),
    ],
)
def test_a_shell_completes_names(shell: ReceiverShell, typed: str, offered: str) -> None:
    variables = {
        "_CHATHOOKS_RECEIVER_COMPLETE": "complete_bash",
        "COMP_WORDS": f"chathooks-receiver {typed}",
        "COMP_CWORD": str(len(typed.split())),
    }
    script = Path(sys.executable).with_name("chathooks-receiver")
    done = subprocess.run(
        [script], capture_output=True, text=True, env={**shell.environment, **variables}, check=True
    )
    assert offered in done.stdout.split()


def test_without_the_extra_the_script_says_what_to_install(tmp_path: Path) -> None:
    """In an environment that has the base distribution and msgspec alone."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    for source in ("chathooks-receiver", "chathooks-events"):
        for package in (ROOT / "packages" / source / "src").iterdir():
            shutil.copytree(
                package, packages / package.name, ignore=shutil.ignore_patterns("*.pyc")
            )
    import msgspec

    folder = Path(msgspec.__file__).parent
    shutil.copytree(folder, packages / "msgspec")
    done = subprocess.run(
        [environment / "bin" / "python", "-m", "chathooks_receiver", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    assert done.returncode == 2
    assert "ERR_TOOLS_NOT_INSTALLED" in done.stderr
    assert "pip install 'chathooks-receiver[tools]'" in done.stderr
    assert all(name in done.stderr for name in NEEDED)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("trigger", "message_teleported", "--url", "http://127.0.0.1:1"), "ERR_TRIGGER_NOT_FOUND"),
        (("trigger", "message_sent"), "ERR_NO_ENDPOINT"),
        (("trigger",), "ERR_TRIGGER_NOT_FOUND"),
        (
            ("trigger", "message_sent", "--server", "http://127.0.0.1:1", "--webhook", "w"),
            "ERR_NO_API_KEY",
        ),
        (("trigger", "message_sent", "--url", "ftp://x"), "ERR_URL"),
        (("trigger", "message_sent", "--url", "http://u:p@127.0.0.1"), "ERR_URL"),
        (("trigger", "message_sent", "--url", "http://127.0.0.1:1/#x"), "ERR_URL"),
        (("trigger", "message_sent", "--url", "http://127.0.0.1:99999"), "ERR_URL"),
        (
            ("trigger", "message_sent", "--url", "https://127.0.0.1", "--ca-file", "none.pem"),
            "ERR_CA_FILE",
        ),
        (
            ("trigger", "message_sent", "--url", "http://127.0.0.1", "--username", "u"),
            "ERR_BASIC_AUTH",
        ),
        (
            (
                "trigger",
                "message_sent",
                "--url",
                "http://127.0.0.1",
                "--username",
                "a:b",
                "--password",
                "p",
            ),
            "ERR_BASIC_AUTH",
        ),
        (
            ("trigger", "message_sent", "--url", "http://127.0.0.1", "--secret", "whsec_short"),
            "ERR_SIGNATURE_SECRET_INVALID",
        ),
        (("trigger", "message_sent", "--url", "http://127.0.0.1", "--as", "slack"), "ERR_PLATFORM"),
        (("simulate", "party", "--url", "http://127.0.0.1:1"), "ERR_SCENARIO"),
        (("simulate", "chat"), "ERR_NO_ENDPOINT"),
        (
            ("simulate", "chat", "--rate", "20000", "--duration", "80000", "--url", "http://x"),
            "ERR_LOAD",
        ),
        (
            ("simulate", "chat", "--server", "http://127.0.0.1:1", "--api-key", "a b\n"),
            "ERR_HEADER",
        ),
        (("check",), "ERR_URL"),
        (("check", "http://127.0.0.1:1", "--only", "luck"), "ERR_CHECK"),
        (("check", "http://127.0.0.1:1", "--at-least", "E"), "ERR_GRADE"),
        (("faulty", "--mode", "sulk"), "ERR_MODE"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:60],
)
def test_a_mistake_is_explained_and_ends_with_2(
    shell: ReceiverShell, arguments: tuple[str, ...], code: str
) -> None:
    run = shell.run(*arguments)
    assert run.code == 2, run.err
    assert run.err.split()[0] == code
    assert run.out == ""
    assert "Traceback" not in run.err


@pytest.mark.parametrize("arguments", [("fly",), ("check", "--fast"), ("faulty", "--port", "-1")])
def test_options_and_commands_that_are_not_there_end_with_2(
    shell: ReceiverShell, arguments: tuple[str, ...]
) -> None:
    assert shell.run(*arguments).code == 2


def test_lists_are_for_people_and_for_programs(shell: ReceiverShell) -> None:
    for command, first in (("check", "https"), ("faulty", "ok"), ("trigger", "message_sent")):
        assert shell.run(command, "--list").out.startswith(first)
        assert {"name", "id"} & set(shell.run(command, "--list", "--json").json[0])


def test_ctrl_c_ends_a_simulation_with_what_was_done(shell: ReceiverShell, tmp_path: Path) -> None:
    with FaultyEndpoints(tmp_path) as endpoints:
        listening = endpoints.listen("ok")
        with shell.started(
            "simulate",
            "chat",
            "--url",
            listening.url,
            "--rate",
            "50",
            "--duration",
            "600",
            "--json",
        ) as process:
            _wait_for_arrivals(listening.arrived)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert '"interrupted": true' in out


def test_ctrl_c_ends_a_check_with_what_was_found(shell: ReceiverShell, tmp_path: Path) -> None:
    with FaultyEndpoints(tmp_path) as endpoints:
        listening = endpoints.listen("ok")
        with shell.started(
            "check", listening.url, "--local", "--json", "--load-requests", "100000"
        ) as process:
            _wait_for_arrivals(listening.arrived)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 130, err
    assert '"id": "reachable"' in out
    assert "Traceback" not in err


def _wait_for_arrivals(arrived: list[Any]) -> None:
    from support.services import wait_until

    wait_until(lambda: len(arrived) > 3, "requests arrive", ENDS_WITHIN_S)


def test_a_report_that_cannot_be_written_is_said(shell: ReceiverShell) -> None:
    run = shell.run(
        "check", "http://127.0.0.1:1/", "--only", "reachable", "--junit", "no/such/folder.xml"
    )
    assert run.code == 1
    assert "ERR_JUNIT_FILE" in run.err


def test_what_comes_from_elsewhere_cannot_steer_the_terminal() -> None:
    assert (
        printable("a\x1b[31mb\r\nc\u202e")
        == "a\N{REPLACEMENT CHARACTER}[31mb c\N{REPLACEMENT CHARACTER}"
    )


# --- the parts -----------------------------------------------------------------------------------------------


def _judgement(severity: Any, state: Any) -> Judgement:
    return Judgement(
        id="x", title="", section="", severity=severity, state=state, detail="", advice="",
        requests=0, duration_ms=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ((), "A"),
        (("minor", "minor"), "B"),
        (("major",), "C"),
        (("major", "minor"), "C"),
        (("major", "major"), "D"),
        (("critical",), "F"),
        (("minor", "major", "critical"), "F"),
    ],
)
def test_grades_follow_from_the_worst_failures(failures: tuple[str, ...], expected: str) -> None:
    found = [_judgement("critical", "passed"), *(_judgement(s, "failed") for s in failures)]
    assert grade(found) == expected


def test_nothing_judged_is_no_grade_and_a_part_of_the_checks_is_no_a() -> None:
    assert grade([_judgement("critical", "skipped")]) is None
    assert grade([_judgement("critical", "passed")], complete=False) == "C"


def test_every_check_is_whole_and_needs_only_what_comes_before() -> None:
    seen: set[str] = set()
    for check in CHECKS:
        assert set(check.requires) <= seen, check.id
        assert check.title[0].islower()
        assert check.advice.endswith(".")
        seen.add(check.id)
    assert len(CHECKS_BY_ID) == len(CHECKS) > 30


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("http://localhost:3000/hook?a=b", "localhost:3000", "/hook?a=b"),
        ("https://shop.example", "shop.example", "/"),
        ("https://[::1]:8443/x", "[::1]:8443", "/x"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
    ],
)
def test_urls_are_taken_apart(url: str, authority: str, path: str) -> None:
    target = parse_target(url)
    assert (target.authority, target.path) == (authority, path)
    assert target.secure == url.startswith("https")


@pytest.mark.parametrize(
    "url", ["", "shop.example", "http://", "http:///x", "http://a b/", "http://x:0", "http://x/ü"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ToolFailed) as refused:
        parse_target(url)
    assert refused.value.code == "ERR_URL"
