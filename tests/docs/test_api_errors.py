"""The reference page of errors, the table of statuses and the code agree."""

import re
from pathlib import Path

import chathooks
from chathooks.api.problems import GENERAL_CODES, STATUS_BY_CODE

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api-errors.md"
SOURCE = Path(chathooks.__file__).parent
NOT_SERVED = ("app", "cli", "demo")
"""Packages whose errors are printed by a command and never answered to a request."""
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| (\d{3}) \| (.+) \|$", re.MULTILINE)
RAISED = re.compile(r"""ChathooksError\(\s*"([A-Z0-9_]+)\"""")
DECLARED = re.compile(r'"((?:AUTH_)?ERR_[A-Z0-9_]+)"')


def test_the_page_lists_every_code_with_its_status() -> None:
    listed = {code: int(status) for code, status, _ in ROW.findall(PAGE.read_text("utf-8"))}
    assert listed == dict(STATUS_BY_CODE)


def test_every_code_that_the_source_raises_has_a_status() -> None:
    raised = {
        (code, path.name)
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] not in NOT_SERVED
        for code in RAISED.findall(path.read_text("utf-8"))
    }
    assert raised
    assert {item for item in raised if item[0] not in STATUS_BY_CODE} == set()


def test_every_code_that_a_route_declares_has_a_status() -> None:
    declared = {
        (code, path.name)
        for path in (SOURCE / "api").glob("*_routes.py")
        for code in DECLARED.findall(path.read_text("utf-8"))
    }
    assert declared
    assert {item for item in declared if item[0] not in STATUS_BY_CODE} == set()
    assert set(GENERAL_CODES) <= set(STATUS_BY_CODE)
