"""The wheel alone, in an environment that has msgspec and nothing else."""

import shutil
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD_TIMEOUT_S = 110

SCRIPT = """
import asyncio
import importlib
import pkgutil
import sys
import chathooks_receiver
from chathooks_receiver.adapters.bridge import BlockingReceiver
from chathooks_receiver.dedupe.sqlite import SqliteDedupe
from chathooks_receiver.receiver import AsyncReceiver
from chathooks_receiver.service import settings
from chathooks_receiver.service.build import make_sink
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.testing import TEST_CREDENTIALS, TEST_SECRET, signed_request

assert "site-packages" in chathooks_receiver.__file__, chathooks_receiver.__file__

def make():
    return AsyncReceiver(
        sink=SqliteInbox("inbox.sqlite3"),
        dedupe=SqliteDedupe("seen.sqlite3"),
        secrets=[TEST_SECRET],
        credentials=[TEST_CREDENTIALS],
    )

with BlockingReceiver(make) as receiver:
    request = signed_request("message_sent")
    answers = [receiver.handle("POST", request.headers, request.body) for _ in range(2)]
assert [a.body for a in answers] == [b'{"status":"accepted"}', b'{"status":"duplicate"}'], answers

missing = {}
for module in pkgutil.walk_packages(chathooks_receiver.__path__, "chathooks_receiver."):
    try:
        importlib.import_module(module.name)
    except (ImportError, SystemExit) as error:
        missing[module.name] = str(error)
print(sorted(missing))

try:
    make_sink(settings.RedisSinkSettings(url="redis://x", stream="s"))
except settings.SettingsError as error:
    assert "Install chathooks-receiver[redis]" in str(error), error
else:
    raise AssertionError("Redis without its driver")
assert "chathooks" not in sys.modules
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without anything but the two wheels and msgspec."""
    folder = tmp_path_factory.mktemp("wheel")
    wheels = folder / "wheels"
    packages = [
        str(ROOT / "packages" / name) for name in ("chathooks-events", "chathooks-receiver")
    ]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    options = ["--quiet", "--no-index", "--no-deps"]
    subprocess.run(
        [*pip, "wheel", *options, "--no-build-isolation", "-w", str(wheels), *packages],
        check=True,
        timeout=BUILD_TIMEOUT_S,
    )
    made = folder / "venv"
    venv.create(made, with_pip=False)
    (site,) = made.glob("lib/python*/site-packages")
    files = [str(path) for path in wheels.glob("*.whl")]
    subprocess.run(
        [*pip, "install", *options, "--target", str(site), *files],
        check=True,
        timeout=BUILD_TIMEOUT_S,
    )
    found = find_spec("msgspec")
    assert found is not None
    assert found.origin is not None
    shutil.copytree(Path(found.origin).parent, site / "msgspec")
    return made


@pytest.mark.timeout(240)
def test_the_base_works_alone_and_the_rest_says_what_to_install(
    environment: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [str(environment / "bin" / "python"), "-I", "-W", "error", "-c", SCRIPT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    missing = done.stdout
    for name in (
        "receiver",
        "intake",
        "testing",
        "workflows.worker",
        "sinks.spool",
        "adapters.asgi",
    ):
        assert f"'chathooks_receiver.{name}'" not in missing
    for name in ("sinks.kafka", "dedupe.redis", "adapters.flask", "service.app"):
        assert f"'chathooks_receiver.{name}'" in missing
