"""Settings come from flags, variables and the file, in that order; what is wrong is named (contract §6)."""

import ipaddress
import os
import socket
from pathlib import Path

import pytest

from chathooks.app.cluster import node_name_of
from chathooks.app.settings import SETTINGS, Settings, load_settings
from chathooks.kernel.errors import StartRefused


def test_without_anything_given_the_documented_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({}, {})
    assert settings == Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.request_timeout == 2.0
    assert settings.retry_schedule == (10.0, 30.0)
    assert settings.webhooks_per_app == 25
    assert settings.retention_days == 30
    assert settings.delivery_expiry_hours == 72
    assert settings.allow_target_networks == ()
    assert settings.allow_http_targets is False
    assert (settings.role, settings.log_level, settings.region) == ("all", "info", "us")


def test_the_declared_defaults_are_those_of_the_structure() -> None:
    for setting in SETTINGS:
        assert getattr(Settings(), setting.name) == setting.default, setting.name


def test_a_flag_beats_a_variable_and_a_variable_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "chathooks.toml"
    file.write_text(
        'port = 1111\nhost = "::1"\nregion = "eu"\nallow_target_networks = ["10.0.0.0/8"]\n'
    )
    environment = {"CHATHOOKS_PORT": "2222", "CHATHOOKS_HOST": "0.0.0.0", "OTHER": "x"}
    settings = load_settings({"port": "3333", "host": None}, environment, file)
    assert (settings.port, settings.host, settings.region) == (3333, "0.0.0.0", "eu")
    assert settings.allow_target_networks == (ipaddress.ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80a"),
        ("PORT", "70000"),
        ("ALLOW_HTTP_TARGETS", "maybe"),
        ("ALLOW_TARGET_NETWORKS", "10.0.0.1/8"),
        ("REQUEST_TIMEOUT", "fast"),
        ("REQUEST_TIMEOUT", "0"),
        ("RETRY_SCHEDULE", "10,soon"),
        ("LOG_LEVEL", "loud"),
        ("ROLE", "king"),
        ("NODE_NAME", "a b"),
        ("NODE_NAME", "n" * 65),
        ("NATS_URL", "localhost:4222"),
        ("NATS_URL", "nats://"),
        ("NATS_URL", "nats://a:4222,http://b"),
        ("NATS_URL", " , "),
        ("APP_ID", "metrics"),
        ("APP_ID", "a/b"),
        ("REGION", 'us"x'),
        ("HOST", " "),
        ("TLS_CERT_FILE", "cert.pem"),
        ("WEBHOOKS_PER_APP", "0"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(StartRefused) as refused:
        load_settings({}, {f"CHATHOOKS_{name}": value})
    assert list(refused.value.details) == [f"CHATHOOKS_{name}"]
    assert refused.value.code == "ERR_SETTINGS"


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(StartRefused) as refused:
        load_settings({}, {"CHATHOOKS_PORT": "x", "CHATHOOKS_ROLE": "y"})
    assert set(refused.value.details) == {"CHATHOOKS_PORT", "CHATHOOKS_ROLE"}


NATS = {"CHATHOOKS_NATS_URL": "nats://127.0.0.1:4222"}
POSTGRES = {"CHATHOOKS_DATABASE_URL": "postgresql://127.0.0.1/chathooks"}


@pytest.mark.parametrize("role", ["all", "api", "delivery"])
def test_with_postgresql_and_nats_every_role_can_be_had(role: str) -> None:
    settings = load_settings({"role": role}, {**NATS, **POSTGRES})
    assert settings.in_cluster
    assert settings.contradictions() == {}


def test_nats_without_postgresql_is_refused_and_told_what_lacks() -> None:
    with pytest.raises(StartRefused, match="give CHATHOOKS_DATABASE_URL too") as refused:
        load_settings({}, NATS)
    assert list(refused.value.details) == ["CHATHOOKS_NATS_URL"]


@pytest.mark.parametrize("role", ["api", "delivery"])
@pytest.mark.parametrize("store", [{}, POSTGRES])
def test_a_part_of_a_server_without_nats_is_refused_and_told_what_lacks(
    role: str, store: dict[str, str]
) -> None:
    with pytest.raises(StartRefused, match="give CHATHOOKS_NATS_URL") as refused:
        load_settings({"role": role}, store)
    assert list(refused.value.details) == ["CHATHOOKS_ROLE"]


def test_certificates_for_nats_without_nats_are_refused() -> None:
    with pytest.raises(StartRefused) as refused:
        load_settings({}, {"CHATHOOKS_NATS_CA_FILE": "file", **POSTGRES})
    assert list(refused.value.details) == ["CHATHOOKS_NATS_CA_FILE"]


def test_several_nats_servers_are_separated_by_commas() -> None:
    urls = {"CHATHOOKS_NATS_URL": " nats://a:4222, tls://user:word@b:4223 ,"}
    assert (
        load_settings({}, {**urls, **POSTGRES}).nats_url == "nats://a:4222,tls://user:word@b:4223"
    )


def test_a_node_is_called_as_told_or_by_host_and_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert node_name_of(Settings(node_name="web-1")) == "web-1"
    monkeypatch.setattr(socket, "gethostname", lambda: "a host.of " + "long" * 20)
    name = node_name_of(Settings())
    assert name.startswith("a-host.of-long")
    assert name.endswith(f"-{os.getpid()}")
    assert load_settings({"node_name": name}, {}).node_name == name


@pytest.mark.parametrize("text", ["nonsense = 1", "port = ", '"'])
def test_a_file_with_an_unknown_name_or_bad_syntax_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "chathooks.toml"
    file.write_text(text)
    with pytest.raises(StartRefused):
        load_settings({}, {}, file)


def test_a_named_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="cannot be read"):
        load_settings({}, {}, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", ()),
        ("json://a", ("json://a",)),
        (
            "json://a, mailtos://u:p@b?to=x@y,z@w,tgram://c/d",
            ("json://a", "mailtos://u:p@b?to=x@y,z@w", "tgram://c/d"),
        ),
        ("json://a,", ("json://a",)),
    ],
)
def test_alert_addresses_are_separated_by_commas_and_may_hold_some(
    text: str, urls: tuple[str, ...]
) -> None:
    assert load_settings({}, {"CHATHOOKS_ALERT_URLS": text}).alert_urls == urls


def test_the_retry_schedule_may_be_empty() -> None:
    assert load_settings({}, {"CHATHOOKS_RETRY_SCHEDULE": ""}).retry_schedule == ()


def test_neither_summary_nor_representation_shows_a_secret() -> None:
    secret = "d41d8cd98f00b204e9800998ecf8427ed41d8cd9"
    names = [setting.name for setting in SETTINGS if setting.secret]
    settings = load_settings(dict.fromkeys(names, secret), {})
    assert secret not in repr(settings)
    assert secret not in str(settings.summary())
    assert {settings.summary()[name] for name in names} == {"given"}
