"""SQL lives in .sql files beside this module; each statement is named by a line `-- name --`."""

import re
from functools import cache
from importlib.resources import files

_NAME_LINE = re.compile(r"^-- ([a-z0-9_]+) --$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """The named statements of one .sql file of this package, e.g. `statements("feed.sql")`."""
    text = files(__package__).joinpath(file).read_text("utf-8")
    parts = _NAME_LINE.split(text)
    return {
        name: sql.strip().rstrip(";") for name, sql in zip(parts[1::2], parts[2::2], strict=True)
    }


def migrations() -> list[tuple[int, str, str]]:
    """All migrations as (number, name, script), in order."""
    found = []
    for entry in files(__package__).joinpath("migrations").iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            found.append((int(number), name, entry.read_text("utf-8")))
    return sorted(found)
