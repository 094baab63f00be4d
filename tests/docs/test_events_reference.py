"""The reference page of the events is the one that the catalog makes."""

import re
import runpy
from pathlib import Path

import pytest

from chathooks_events import reference
from chathooks_events.catalog import TRIGGERS
from chathooks_events.reference import markdown

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "events.md"


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text("utf-8") == markdown(), (
        "run: python -m chathooks_events.reference > docs/reference/events.md"
    )


def test_running_the_module_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(reference.__file__, run_name="__main__")
    assert capsys.readouterr().out == reference.markdown()


def test_every_trigger_has_its_own_section() -> None:
    headings = re.findall(r"^### (\w+)$", markdown(), re.MULTILINE)
    assert set(TRIGGERS) <= set(headings)
    assert len(set(headings)) == len(headings)


def test_every_link_within_the_page_leads_somewhere() -> None:
    page = markdown()
    headings = {line.lower() for line in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings
