"""The pages of the receiver's commands: everything is documented, and what pages tell people to type exists."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from chathooks_receiver.cli.main import app
from chathooks_receiver.tools.checks.catalogue import CHECKS
from chathooks_receiver.tools.faults.modes import MODES, parse_modes
from chathooks_receiver.tools.simulation.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
GROUP: Any = typer.main.get_command(app)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_command_argument_and_option_is_documented() -> None:
    sections = re.split(
        r"^#+ ", (REFERENCE / "receiver-cli.md").read_text("utf-8"), flags=re.MULTILINE
    )
    by_title = {section.split("\n", 1)[0]: section for section in sections}
    assert {"trigger", "simulate", "listen", "check", "faulty", "serve", "log"} == set(
        GROUP.commands
    )
    for name, command in GROUP.commands.items():
        section = by_title[f"chathooks-receiver {name}"]
        for item in command.params:
            names = item.opts if item.param_type_name == "option" else [item.name.upper()]
            assert all(f"`{flag}`" in section for flag in names), (name, names)


def test_every_check_mode_and_scenario_is_documented() -> None:
    checks = (REFERENCE / "receiver-checks.md").read_text("utf-8")
    for check in CHECKS:
        row = re.search(rf"^\| `{check.id}` \| {check.severity} \|.*$", checks, re.MULTILINE)
        assert row is not None, check.id
        assert check.advice in row[0]
    modes = (REFERENCE / "receiver-cli.md").read_text("utf-8")
    assert all(f"| `{mode}` |" in modes for mode in MODES)
    howto = (ROOT / "docs" / "howto" / "test-a-receiver.md").read_text("utf-8")
    assert all(f"`{name}`" in howto for name in SCENARIOS)


def _typed(page: Path) -> Iterator[list[str]]:
    """The words of each `chathooks-receiver …` line of the page's code blocks."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if re.match(r"(\$ )?chathooks-receiver ", line):
                yield shlex.split(line.removeprefix("$ "))[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_a_page_shows_exist_with_their_options(page: Path) -> None:
    for words in _typed(page):
        command = GROUP.commands[words[0]]
        known = {flag for option in command.params for flag in option.opts}
        assert {word for word in words if word.startswith("--")} <= known, words
        if words[0] == "faulty" and "--mode" in words:
            assert parse_modes(words[words.index("--mode") + 1])


def test_the_how_tos_show_the_commands() -> None:
    shown = {words[0] for page in PAGES for words in _typed(page)}
    assert set(GROUP.commands) <= shown
