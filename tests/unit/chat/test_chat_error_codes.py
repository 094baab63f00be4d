"""Every error code that chat raises has a status and stands in the reference."""

import re
from importlib.resources import files
from pathlib import Path

from chathooks.api.problems import STATUS_BY_CODE

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "chat-rest.md"


def raised_codes() -> set[str]:
    """The codes in the source of `chathooks.chat`."""
    return {
        code
        for module in files("chathooks.chat").iterdir()
        if module.name.endswith(".py")
        for code in re.findall(r'"(ERR_[A-Z_]+)"', module.read_text("utf-8"))
    }


def test_every_code_that_chat_raises_has_a_status() -> None:
    codes = raised_codes()
    assert len(codes) > 25
    assert codes <= set(STATUS_BY_CODE)


def test_every_code_that_chat_raises_is_in_the_reference() -> None:
    text = REFERENCE.read_text("utf-8")
    assert {code for code in raised_codes() if f"`{code}`" not in text} == set()


def test_the_reference_tells_the_statuses_that_are_answered() -> None:
    rows = re.findall(r"^\| (`ERR_[^|]+) \| (\d{3}) \|", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert rows
    for codes, status in rows:
        for code in re.findall(r"`(ERR_[A-Z_]+)`", codes):
            assert STATUS_BY_CODE[code] == int(status), code
