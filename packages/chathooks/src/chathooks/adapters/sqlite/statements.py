"""SQL lives in .sql files beside this module; each statement is named by a line `-- name --`."""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

ADDITIVE = "-- additive"
"""How a migration begins that only adds what older programs need not know."""

_NAME_LINE = re.compile(r"^-- ([a-z0-9_]+) --$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """The named statements of one .sql file of this package, e.g. `statements("feed.sql")`."""
    text = files(__package__).joinpath(file).read_text("utf-8")
    parts = _NAME_LINE.split(text)
    return {
        name: sql.strip().rstrip(";") for name, sql in zip(parts[1::2], parts[2::2], strict=True)
    }


def of_many_rows(sql: str, rows: int) -> str:
    """An INSERT of one row by VALUES as one that takes `rows` of them at once."""
    head, _, values = sql.rpartition("VALUES")
    return f"{head}VALUES {', '.join([values.strip()] * rows)}"


class Migration(NamedTuple):
    """A step of the schema."""

    number: int
    name: str
    script: str

    @property
    def additive(self) -> bool:
        """Whether a program of before it goes on working on the store: said by its first line."""
        return self.script.startswith(ADDITIVE)


def migrations() -> list[Migration]:
    """All migrations, in order."""
    found = []
    for entry in files(__package__).joinpath("migrations").iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            found.append(Migration(int(number), name, entry.read_text("utf-8")))
    return sorted(found)


def compatible_from(scripts: Iterable[Migration], version: int) -> int:
    """The oldest schema whose programs can work on a store of schema `version`."""
    return max(step.number for step in scripts if step.number <= version and not step.additive)
