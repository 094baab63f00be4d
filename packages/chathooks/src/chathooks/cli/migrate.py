"""`chathooks migrate`: the schema of the store, and the move from SQLite to PostgreSQL."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chathooks.app.logs import configure_logs
from chathooks.app.settings import Settings, load_settings
from chathooks.cli.failures import EXIT_FAILED

_DataDir = Annotated[str | None, typer.Option(help="Folder of the SQLite store and keys.")]
_Config = Annotated[Path | None, typer.Option(help="Settings file.")]

migrate = typer.Typer(
    name="migrate",
    help="The store's schema, and the move from SQLite to PostgreSQL.",
    no_args_is_help=True,
)


def _settings(data_dir: str | None, config: Path | None) -> Settings:
    settings = load_settings({"data_dir": data_dir}, os.environ, config)
    configure_logs("warning")
    return settings


def _say(text: str) -> None:
    Console(soft_wrap=True, highlight=False, file=sys.stdout).print(text, markup=False)


@migrate.command()
def status(data_dir: _DataDir = None, config: _Config = None) -> None:
    """Show the version of the store's schema and the migrations that it lacks.

    Exit code 0: nothing is missing; 1: something is; 2: the store cannot be read.

    Examples:

      chathooks migrate status
    """
    import uvloop

    from chathooks.app.build import schema

    store = schema(_settings(data_dir, config))
    version, missing = uvloop.run(store.status())
    _say(f"{store.where()}: the schema is version {version}.")
    for number, name in missing:
        _say(f"  missing: {number:04} {name}")
    if missing:
        raise typer.Exit(EXIT_FAILED)


@migrate.command()
def apply(data_dir: _DataDir = None, config: _Config = None) -> None:
    """Apply the migrations that the store lacks, all in one transaction. Nobody may serve the store meanwhile.

    `chathooks serve` does this by itself on SQLite. Back the store up first.

    Examples:

      chathooks migrate apply
    """
    import uvloop

    from chathooks.app.build import schema

    store = schema(_settings(data_dir, config))
    applied = uvloop.run(store.apply())
    for number, name in applied:
        _say(f"  applied: {number:04} {name}")
    _say(f"{store.where()}: {'up to date.' if not applied else f'{len(applied)} applied.'}")


@migrate.command()
def copy(
    source: Annotated[Path, typer.Option("--from", help="File of the SQLite store.")],
    to: Annotated[
        str | None, typer.Option(help="postgresql://…; CHATHOOKS_DATABASE_URL by default.")
    ] = None,
    config: _Config = None,
) -> None:
    """Copy a SQLite store into an empty PostgreSQL database that has the schema.

    Nobody may serve either meanwhile. A copy that was cut short goes on where it stopped when it is called again. At the
    end all rows are counted and compared by checksums. Keep the SQLite file until the new server has proved itself.

    Examples:

      chathooks migrate apply && chathooks migrate copy --from chathooks-data/chathooks.sqlite3
    """
    import uvloop

    from chathooks.app.build import STORE_FILE, copy_to_database
    from chathooks.app.copying import Step

    settings = load_settings({"database_url": to}, os.environ, config)
    configure_logs("warning")

    def tell(step: Step) -> None:
        done = "verified" if step.verified else f"{step.copied} of {step.rows} rows"
        _say(f"  {step.table}: {done}")

    path = source / STORE_FILE if source.is_dir() else source
    rows = uvloop.run(copy_to_database(path, settings, tell))
    _say(
        f"{rows} rows were copied and verified. Start the server with CHATHOOKS_DATABASE_URL and the"
    )
    _say(f"CHATHOOKS_SECRET_KEY of that store ({path.parent / 'secret.key'}, unless it was given).")
