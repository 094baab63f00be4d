"""The compose file and the unit for several nodes use settings and commands that exist."""

from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from chathooks.app.settings import SETTINGS
from chathooks.cli.main import app

ROOT = Path(__file__).parents[2]
VARIABLES = {setting.variable for setting in SETTINGS}
SCALE_OUT = (ROOT / "docs/howto/scale-out.md").read_text("utf-8")


def _services() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "examples/cluster/compose.yaml").read_text("utf-8"))
    services: dict[str, Any] = compose["services"]
    return services


def _ours() -> dict[str, Any]:
    return {name: one for name, one in _services().items() if one["image"] == "chathooks"}


def test_the_compose_file_uses_settings_that_exist() -> None:
    assert set(_ours()) == {"migrate", "api", "delivery"}
    for one in _ours().values():
        assert set(one["environment"]) <= VARIABLES


def test_the_compose_file_runs_commands_that_exist() -> None:
    for one in _ours().values():
        words = [word for word in one["command"] if not word.startswith("-")]
        command = words[: 2 if words[0] == "migrate" else 1]
        told = CliRunner().invoke(app, [*command, "--help"])
        assert told.exit_code == 0
        for flag in (word for word in one["command"] if word.startswith("--")):
            assert flag in told.output


def test_what_waits_for_what_is_there() -> None:
    services = _services()
    for one in services.values():
        assert set(one.get("depends_on", ())) <= set(services)


def test_the_unit_starts_a_role_and_leaves_time_for_a_graceful_stop() -> None:
    assert "ExecStart=/opt/chathooks/bin/chathooks serve --role %i" in SCALE_OUT
    roles = next(setting for setting in SETTINGS if setting.name == "role")
    for role in ("api", "delivery"):
        assert roles.parse(role) == role
        assert f"/etc/chathooks/{role}" in SCALE_OUT
