"""SQL lives in .sql files beside this module; each statement is named by a line `-- name --`.

Placeholders are written as `?` or `?1` and numbered here as PostgreSQL wants them; a statement with a part to be
filled in (`{where}`) is numbered once it is complete.
"""

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

COMPLETED_STATEMENTS_KEPT = 512

_NAME_LINE = re.compile(r"^-- ([a-z0-9_]+) --$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\?(\d*)")
ADDITIVE = "-- additive"
"""How a migration begins that only adds what older programs need not know."""


class Migration(NamedTuple):
    """One step of the schema."""

    number: int
    name: str
    script: str
    compatible: int
    """Programs that know this migration or a later one may use a store that has this step."""

    @property
    def is_additive(self) -> bool:
        """Whether programs that do not know it may go on using the store."""
        return self.script.startswith(ADDITIVE)


@lru_cache(COMPLETED_STATEMENTS_KEPT)
def numbered(sql: str) -> str:
    """The statement with `$1`, `$2`, … for its placeholders."""
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"${found[1] or count}"

    return _PLACEHOLDER.sub(number, sql)


@cache
def statements(file: str) -> dict[str, str]:
    """The named statements of one .sql file of this package, e.g. `statements("feed.sql")`."""
    text = files(__package__).joinpath(file).read_text("utf-8")
    parts = _NAME_LINE.split(text)
    found = {}
    for name, sql in zip(parts[1::2], parts[2::2], strict=True):
        whole = sql.strip().rstrip(";")
        is_part = "{" in whole or name.startswith(("where_", "of_", "from_", "to_", "window"))
        found[name] = whole if is_part else numbered(whole)
    return found


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations, in order."""
    scripts = []
    for entry in files(__package__).joinpath("migrations").iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            scripts.append((int(number), name, entry.read_text("utf-8")))
    found = []
    compatible = 0
    for step, name, script in sorted(scripts):
        compatible = compatible if script.startswith(ADDITIVE) else step
        found.append(Migration(step, name, script, compatible))
    return tuple(found)
