"""The console script: starts the command line, or says what to install where the extra is missing."""

import importlib.util
import sys

NEEDED = (
    "typer",
    "rich",
    "urllib3",
    "cryptography",
    "httptools",
    "prometheus_client",
    "structlog",
    "uvicorn",
)
"""What the extra `tools` brings and the commands import."""
EXIT_NOT_INSTALLED = 2


def missing() -> list[str]:
    """Which of the packages are not there."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def main() -> None:
    """Run the command of this process."""
    absent = missing()
    if absent:
        sys.stderr.write(
            f"ERR_TOOLS_NOT_INSTALLED The commands need {', '.join(absent)}.\n"
            "  → pip install 'chathooks-receiver[tools]'\n"
        )
        sys.exit(EXIT_NOT_INSTALLED)
    from chathooks_receiver.cli.main import main as run

    run()
