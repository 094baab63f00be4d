"""What a start makes and proves: keys in private files, one secret key per store, an evenly running clock."""

import base64
import os
from pathlib import Path

import pytest

from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.app.secrets import (
    given_credentials,
    prove_key,
    secret_box,
)
from chathooks.app.settings import Settings
from chathooks.kernel.crypto import SECRET_KEY_BYTES
from chathooks.kernel.errors import StartRefused

pytestmark = pytest.mark.anyio


def test_the_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    sealed = secret_box(settings, os.urandom).seal("text", "context")
    assert secret_box(settings, os.urandom).open(sealed, "context") == "text"
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_secret_opens_only_in_its_own_context(tmp_path: Path) -> None:
    box = secret_box(Settings(data_dir=tmp_path), os.urandom)
    with pytest.raises(StartRefused):
        box.open(box.seal("text", "one"), "other")


def test_a_given_secret_key_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="CHATHOOKS_SECRET_KEY"):
        secret_box(Settings(data_dir=tmp_path, secret_key="short"), os.urandom)


async def test_a_start_with_another_key_than_the_stores_is_refused(
    store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    box = secret_box(Settings(data_dir=tmp_path / "a"), os.urandom)
    await prove_key(store, box)
    await prove_key(store, box)
    with pytest.raises(StartRefused, match="start with the key"):
        await prove_key(store, secret_box(Settings(data_dir=tmp_path / "b"), os.urandom))


async def test_who_starts_a_second_process_with_a_wrong_key_is_told_where_the_right_one_is(
    store: SqliteStore,
) -> None:
    def given(byte: int) -> Settings:
        key = base64.urlsafe_b64encode(bytes([byte]) * SECRET_KEY_BYTES).decode()
        return Settings(database_url="postgresql://127.0.0.1/shared", secret_key=key)

    await prove_key(store, secret_box(given(1), os.urandom))
    await prove_key(store, secret_box(given(1), os.urandom))
    with pytest.raises(
        StartRefused, match="copy CHATHOOKS_SECRET_KEY from the settings"
    ) as refused:
        await prove_key(store, secret_box(given(2), os.urandom))
    assert refused.value.code == "ERR_SECRET_KEY"
    assert list(refused.value.details) == ["CHATHOOKS_SECRET_KEY"]
    assert given(1).secret_key not in refused.value.message


def test_keys_made_at_the_first_start_are_kept_in_a_private_file_and_taken_up_again(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path)
    made = given_credentials(settings, os.urandom)
    assert (tmp_path / "credentials.toml").stat().st_mode & 0o777 == 0o600
    assert given_credentials(settings, os.urandom) == made


def test_given_keys_are_used_and_not_written_down(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, app_id="shop", api_key="a" * 40)
    assert given_credentials(settings, os.urandom).api_key == "a" * 40
    assert "a" * 40 not in (tmp_path / "credentials.toml").read_text()


def test_a_credentials_file_that_cannot_be_read_refuses_the_start_in_plain_words(
    tmp_path: Path,
) -> None:
    (tmp_path / "credentials.toml").write_bytes(b'app_id = "caf\xff')
    with pytest.raises(StartRefused, match="mend it or move it away"):
        given_credentials(Settings(data_dir=tmp_path), os.urandom)


def test_a_file_put_where_a_key_is_drafted_neither_gets_it_nor_lends_its_mode(
    tmp_path: Path,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "secret.key.new").symlink_to(elsewhere)
    secret_box(Settings(data_dir=tmp_path), os.urandom)
    assert not elsewhere.exists()
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
