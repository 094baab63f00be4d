"""The package decides nothing by clock, chance or machine, and its modules load nothing but msgspec."""

import ast
import sys
from pathlib import Path

import pytest

import chathooks_events

MODULES = sorted(Path(chathooks_events.__file__).parent.glob("*.py"))
FORBIDDEN = {"asyncio", "datetime", "os", "random", "secrets", "socket", "time", "uuid"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_no_io_clock_or_chance(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert not imported & FORBIDDEN
    assert imported <= sys.stdlib_module_names | {"msgspec", "chathooks_events"}
