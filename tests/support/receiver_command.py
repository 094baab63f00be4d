"""Runs the `chathooks-receiver` command as a shell would, in this process or in one of its own."""

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from chathooks_receiver.cli.main import main

RUN_TIMEOUT_S = 90.0
COLUMNS = 120


@dataclass(frozen=True)
class Run:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class ReceiverShell:
    """A folder and the variables that commands run with; other CHATHOOKS_* variables are not passed on."""

    folder: Path
    variables: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "CHATHOOKS" not in name}
        return {
            **kept,
            "COLUMNS": str(COLUMNS),
            "TERM": "dumb",
            "XDG_STATE_HOME": str(self.folder / "state"),
            **self.variables,
        }

    def run(self, *arguments: str) -> Run:
        """Run a command to its end in this process."""
        out, err = io.StringIO(), io.StringIO()
        code = 0
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main(arguments)
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        return Run(code, out.getvalue(), err.getvalue())

    async def __call__(self, *arguments: str) -> Run:
        """Run a command to its end in a thread, so that a server of this loop can answer it."""
        return await asyncio.wait_for(asyncio.to_thread(self.run, *arguments), RUN_TIMEOUT_S)

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command in a process of its own while the block runs; killed if it is still there afterwards."""
        process = subprocess.Popen(
            [sys.executable, "-m", "chathooks_receiver", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()
