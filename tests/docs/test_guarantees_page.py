"""Each sentence of the delivery contract stands on the page of guarantees, with tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explain" / "guarantees.md"

# Frozen: a sentence is never dropped, and a new one gets the next number of its section.
SENTENCES = [
    *(f"1.{number}" for number in range(1, 14)),
    *(f"2.{number}" for number in range(1, 15)),
    *(f"3.{number}" for number in range(1, 14)),
    *(f"4.{number}" for number in range(1, 12)),
]
WORDS_MIN = 4

_ENTRY = re.compile(r"^- \*\*§([0-9.]+)\*\* (.+)\n((?:  - .+\n)*)", re.MULTILINE)
_LINK = re.compile(r"^  - \[`(\w+)`\]\(([^)]+)\)$")
ENTRIES = _ENTRY.findall(PAGE.read_text("utf-8"))


@cache
def declared_tests(path: Path) -> frozenset[str]:
    """Names of the tests in a module; a stateful test of hypothesis is a class."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(name for name in found if name.lower().startswith("test"))


def test_every_sentence_of_the_contract_is_on_the_page_in_order() -> None:
    assert [name for name, _, _ in ENTRIES] == SENTENCES


def test_every_entry_of_the_page_is_read_by_this_test() -> None:
    assert PAGE.read_text("utf-8").count("**§") == len(ENTRIES)


@pytest.mark.parametrize(("name", "words", "tests"), ENTRIES, ids=[name for name, _, _ in ENTRIES])
def test_a_sentence_is_pinned_by_tests_that_exist(name: str, words: str, tests: str) -> None:
    assert len(words.split()) >= WORDS_MIN
    lines = tests.splitlines()
    assert lines, f"§{name} has no test"
    assert len(set(lines)) == len(lines)
    for line in lines:
        link = _LINK.match(line)
        assert link is not None, line
        test, target = link.groups()
        path = (PAGE.parent / target).resolve()
        assert path.is_relative_to(ROOT / "tests"), target
        assert path.is_file(), target
        assert test in declared_tests(path), f"{target} has no {test}"
