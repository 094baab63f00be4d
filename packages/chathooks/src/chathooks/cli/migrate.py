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
