"""Size budgets and naming rules that no linter checks (ARCHITECTURE.md, "Rules that a machine checks")."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 500
TEST_MODULE_LINES_MAX = 800
FILE_BYTES_MAX = 1024 * 1024
BANNED_NAMES = {"utils", "common", "helpers", "misc", "models"}
HOME_OF_ROOT = "/".join(("", "root", ""))
WORKSPACE = "/".join(("", "work", ""))
BANNED_WORDS = (HOME_OF_ROOT, WORKSPACE, f"{ROOT}/", "pythonhosted", "--index-url" + " http")


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


ADAPTERS = ROOT / "packages/chathooks/src/chathooks/adapters"
QUERY_NAME = re.compile(r"^-- ([a-z0-9_]+) --$", re.MULTILINE)
PYTHON = _tracked("*.py")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PYTHON, ids=_name)
def test_a_module_and_its_functions_keep_to_their_budgets(path: Path) -> None:
    source = path.read_text("utf-8")
    limit = TEST_MODULE_LINES_MAX if "tests" in path.relative_to(ROOT).parts else MODULE_LINES_MAX
    assert source.count("\n") <= limit
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


def test_no_room_is_called_by_a_name_that_says_nothing() -> None:
    found = [
        _name(path)
        for path in PYTHON
        if BANNED_NAMES & {path.stem, *path.relative_to(ROOT).parts[:-1]}
    ]
    assert found == []


def test_nothing_tracked_is_large_or_names_a_machine() -> None:
    wrong = []
    for path in _tracked():
        if path.stat().st_size > FILE_BYTES_MAX:
            wrong.append(f"{_name(path)} is over 1 MiB")
        if path == Path(__file__):
            continue
        content = path.read_bytes()
        wrong += [f"{_name(path)} names {w}" for w in BANNED_WORDS if w.encode() in content]
    assert wrong == []


def test_migrations_are_numbered_without_gaps_and_alike_on_both_stores() -> None:
    names = {
        adapter: sorted(path.name for path in (ADAPTERS / adapter / "migrations").glob("*.sql"))
        for adapter in ("sqlite", "postgres")
    }
    numbers = [int(name.split("_")[0]) for name in names["sqlite"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert names["postgres"] == names["sqlite"]


def _queries(adapter: str, only: set[str]) -> set[str]:
    return {
        f"{path.name}: {name}"
        for path in (ADAPTERS / adapter).glob("*.sql")
        if path.name in only
        for name in QUERY_NAME.findall(path.read_text("utf-8"))
    }


def test_both_stores_have_queries_of_the_same_names() -> None:
    """What one adapter can do and the other cannot shows here first."""
    domains = {path.name for path in (ADAPTERS / "sqlite").glob("*.sql")} - {"tables.sql"}
    assert _queries("sqlite", domains) ^ _queries("postgres", domains) == {
        # PostgreSQL's ids of messages are allotted by the program.
        "chat_messages.sql: next_message_id",
        # Lanes and their oldest rows are one query there.
        "deliveries.sql: lane_keys",
        # A row of `chathooks_schema` says it there.
        "meta.sql: set_compatible",
    }


def test_sql_lives_in_sql_files() -> None:
    starts = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ")
    wrong = []
    for path in (ROOT / "packages/chathooks/src/chathooks/adapters").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and text.lstrip().startswith(starts):
                wrong.append(f"{_name(path)}:{node.lineno}")
    assert wrong == []


def test_the_pinned_requirements_name_no_download_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text("utf-8")
        assert "://" not in text
        assert "--hash=sha256:" in text


def test_every_distribution_declares_what_is_pinned() -> None:
    wanted = {"pytest"}  # of the development set, for the extra with fixtures
    for name in ("runtime.in", "receiver.in"):
        lines = (ROOT / "requirements" / name).read_text("utf-8").splitlines()
        names = (line.partition("[")[0].strip() for line in lines if not line.startswith("#"))
        wanted |= {name for name in names if name}
    declared = set()
    for path in ROOT.glob("packages/*/pyproject.toml"):
        project = tomllib.loads(path.read_text("utf-8"))["project"]
        entries = project.get("dependencies", [])
        for extra in project.get("optional-dependencies", {}).values():
            entries = [*entries, *extra]
        names = {re.split(r"[\[=><; ]", entry)[0] for entry in entries}
        declared |= {name for name in names if not name.startswith("chathooks")}
    assert declared == wanted
