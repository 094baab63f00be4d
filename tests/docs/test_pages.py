"""Pages lead somewhere, name what exists, and agree with the code."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from chathooks import __version__
from chathooks_events.catalog import TRIGGERS

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = ("chathooks-events", "chathooks-receiver", "chathooks")
ARCHITECTURE_LINES_MAX = 120

_FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE_SPAN = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FILE_NAME = re.compile(r"[\w./<>*-]*/?[\w.<>*-]+\.(?:py|md|sql|svg|txt)")
_FOLDERS = ("packages/", "tests/", "docs/", "benchmarks/", "requirements/")


def _pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


PAGES = _pages()


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def _anchors(page: Path) -> set[str]:
    """The ids that a heading gets on common forges."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(_prose(page))
    }


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        if anchor:
            assert anchor in _anchors(path), target


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_page_names_a_file_of_the_repository_that_does_not_exist(page: Path) -> None:
    for span in _CODE_SPAN.findall(_prose(page)):
        if span.startswith(_FOLDERS) and not re.search(r"[<>*{ ]", span):
            assert (ROOT / span).exists(), span


def test_what_architecture_names_exists_in_the_server() -> None:
    source = ROOT / "packages" / "chathooks" / "src" / "chathooks"
    contract = ROOT / "packages" / "chathooks-events" / "src"
    spans = _CODE_SPAN.findall(_prose(ROOT / "ARCHITECTURE.md"))
    named = [span for span in spans if _FILE_NAME.fullmatch(span) and "/" in span]
    assert len(named) > 20
    for span in named:
        if not re.search(r"[<>*]", span):
            places = (ROOT / span, source / span, contract / span)
            assert any(place.exists() for place in places), span


def test_architecture_shows_every_package_of_the_server_and_stays_short() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert text.count("\n") <= ARCHITECTURE_LINES_MAX
    source = ROOT / "packages" / "chathooks" / "src" / "chathooks"
    for package in source.iterdir():
        if (package / "__init__.py").exists():
            assert f" {package.name}/" in text, package.name


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / target).resolve() for target in _LINK.findall(index.read_text("utf-8"))
    }
    pages = set((ROOT / "docs").rglob("*.md")) - {index}
    assert pages - linked == set()


def test_decisions_are_numbered_without_gaps() -> None:
    files = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    for number, file in enumerate(files, start=1):
        assert file.read_text("utf-8").startswith(f"# {number}. ")


def test_the_readme_shows_the_two_commands_and_the_demo() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for verb in ("demo", "test"):
        assert f"\nmake {verb} " in text
        assert f"\n{verb}: " in makefile
    assert "(docs/images/demo.svg)" in text


def test_the_readme_names_the_triggers_that_fire_and_no_others() -> None:
    fired = set()
    for path in (ROOT / "packages/chathooks/src/chathooks/chat").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and node.value in TRIGGERS:
                fired.add(node.value)
    text = (ROOT / "README.md").read_text("utf-8")
    named = {span for span in _CODE_SPAN.findall(_FENCE.sub("", text)) if span in TRIGGERS}
    assert named == fired
    assert f"these {len(fired)} fire" in text
    assert f"[{len(TRIGGERS)} triggers]" in text


def test_log_lines_that_the_pages_name_are_logged() -> None:
    page = (ROOT / "docs" / "howto" / "run-in-production.md").read_text("utf-8")
    section = page.split("\n## Log\n")[1].split("\n## ")[0]
    named = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert len(named) > 3
    source = "".join(
        path.read_text("utf-8") for path in (ROOT / "packages/chathooks/src").rglob("*.py")
    )
    assert [line for line in named if f'"{line}"' not in source] == []


def test_every_distribution_has_the_licence_and_the_same_version() -> None:
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in licence
    for name in DISTRIBUTIONS:
        folder = ROOT / "packages" / name
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
        assert project["version"] == __version__
        assert project["license"] == "Apache-2.0"
        assert (folder / "LICENSE").read_text("utf-8") == licence


def test_the_changelog_has_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\]", text, re.MULTILINE)
    assert "## [Unreleased]" in text
