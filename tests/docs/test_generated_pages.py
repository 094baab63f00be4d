"""The generated reference pages are current, and everything that has a name is documented."""

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

from chathooks.api.problems import STATUS_BY_CODE
from chathooks.app.build import _refuse_what_is_not_served
from chathooks.app.settings import SETTINGS, load_settings
from chathooks.cli.main import app
from chathooks.kernel.errors import StartRefused
from chathooks.kernel.telemetry import REGISTRY
from chathooks_events.catalog import TRIGGERS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
_CODE = re.compile(r"(?<![A-Z_])(?:AUTH_)?ERR_[A-Z][A-Z_]+")


def _generator() -> ModuleType:
    # By its path: a package called docs stands beside this file as well.
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.mark.parametrize("name", sorted(GENERATOR.PAGES))
def test_a_generated_page_is_the_committed_one(name: str) -> None:
    assert (REFERENCE / name).read_text("utf-8") == GENERATOR.PAGES[name](), "run: make docs"


def test_the_generator_runs_as_a_module_and_leaves_current_pages_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    page = (REFERENCE / "settings.md").read_text("utf-8")
    for setting in SETTINGS:
        row = re.search(rf"^\| `{setting.variable}` \|.*$", page, re.MULTILINE)
        assert row is not None, setting.variable
        assert setting.meaning in row[0]


def test_every_environment_variable_is_documented() -> None:
    named = set()
    for path in (ROOT / "packages").rglob("*.py"):
        named |= set(re.findall(r"CHATHOOKS_[A-Z_]+[A-Z]\b", path.read_text("utf-8")))
    assert {setting.variable for setting in SETTINGS} & named
    pages = "".join(page.read_text("utf-8") for page in REFERENCE.glob("*.md"))
    assert {name for name in named if f"`{name}`" not in pages} == set()


REFUSED = {
    "media_url": "s3://bucket/prefix",
}


def test_settings_that_the_page_calls_refused_are_refused() -> None:
    said = {
        name
        for name, words in GENERATOR.RESERVED_SETTINGS.items()
        if "refused at the start" in words
    }
    assert said == set(REFUSED)
    for name, value in REFUSED.items():
        with pytest.raises(StartRefused) as refused:
            _refuse_what_is_not_served(load_settings({name: value}, {}))
        assert list(refused.value.details) == [f"CHATHOOKS_{name.upper()}"]


def test_every_metric_is_documented() -> None:
    page = (REFERENCE / "metrics.md").read_text("utf-8")
    families = list(REGISTRY.collect())
    assert len(families) > 10
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        assert f"| `{name}` | {family.type} |" in page


def test_every_trigger_is_documented() -> None:
    headings = re.findall(
        r"^### (\w+)$", (REFERENCE / "events.md").read_text("utf-8"), re.MULTILINE
    )
    assert set(TRIGGERS) <= set(headings)


def _commands(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if hasattr(command, "commands"):
            yield from _commands(f"{path} {name}", command)


def test_every_command_argument_and_option_is_documented() -> None:
    sections = re.split(r"^#+ ", (REFERENCE / "cli.md").read_text("utf-8"), flags=re.MULTILINE)
    by_title = {section.split("\n", 1)[0]: section for section in sections}
    commands = dict(_commands("chathooks", typer.main.get_command(app)))
    assert {"chathooks serve", "chathooks doctor"} <= set(commands)
    for path, command in commands.items():
        section = by_title[path]
        for item in command.params:
            names = item.opts if item.param_type_name == "option" else [item.name.upper()]
            assert all(f"`{name}`" in section for name in names), (path, names)


@cache
def _codes_in_the_source() -> dict[str, str]:
    """Each code in a literal of the packages, and a module that has it."""
    found = {}
    for path in (ROOT / "packages").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
                found.update(dict.fromkeys(_CODE.findall(text), path.name))
    return found


def test_every_error_code_is_documented() -> None:
    pages = "".join(path.read_text("utf-8") for path in REFERENCE.glob("*errors.md"))
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", pages, re.MULTILINE))
    used = _codes_in_the_source()
    assert set(STATUS_BY_CODE) <= set(used)
    missing = {code: module for code, module in used.items() if code not in documented}
    assert missing == {}


def test_no_documented_error_code_is_made_up() -> None:
    named = {
        code
        for path in ROOT.glob("docs/**/*.md")
        for code in _CODE.findall(path.read_text("utf-8"))
    }
    assert named - set(_codes_in_the_source()) == set()
