"""Apps, keys, users' comings and goings, test fires and replays from the command line, on the whole server."""

import pytest

from chathooks.cli.rest import sends_in_clear
from chathooks.delivery import replay as replay_module
from support.command_line import Shell
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client
from support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def manager(shell: Shell, server: Client) -> Shell:
    """Knows the management credentials too."""
    own = server.credentials
    return Shell(
        shell.folder,
        {
            **shell.variables,
            "CHATHOOKS_MANAGEMENT_KEY": own.management_key,
            "CHATHOOKS_MANAGEMENT_SECRET": own.management_secret,
        },
    )


async def test_an_app_lives_from_creation_to_deletion(manager: Shell, server: Client) -> None:
    made = (await manager("apps", "create", "cli-shop", "--name", "Shop", "--json")).json
    assert (made["id"], made["name"], made["region"]) == ("cli-shop", "Shop", "us")
    for key, entry in made["apiKeys"].items():
        assert (await server.call("GET", "/apikeys", key=key)).status in (200, 403)
        assert entry["apiKey"] == key
    assert "cli-shop" in [app["id"] for app in (await manager("apps", "list", "--json")).json]
    assert (await manager("apps", "get", "cli-shop", "--json")).json["name"] == "Shop"
    deleted = (await manager("apps", "delete", "cli-shop", "--json")).json
    assert deleted["success"] is True
    gone = await manager("apps", "get", "cli-shop")
    assert gone.code == 1
    assert "AUTH_ERR_INVALID_APPID" in gone.err


async def test_the_keys_of_a_new_app_are_shown_with_a_word_on_it(manager: Shell) -> None:
    run = await manager("apps", "create", "cli-keys")
    assert run.code == 0
    assert "fullAccess" in run.out
    assert "authOnly" in run.out
    assert "this once" in run.err


async def test_settings_are_set_shown_and_taken_back(manager: Shell) -> None:
    await manager("apps", "create", "cli-settings")
    replies, push = "core.conversations.updateOnReplies", "core.notifications.push.enabled"
    done = await manager("apps", "set", "cli-settings", f"{replies}=false", f"{push}=on")
    assert done.code == 0
    shown = (await manager("apps", "settings", "cli-settings")).lines
    assert f"{replies}=false" in shown
    assert f"{push}=true" in shown
    refused = await manager("apps", "set", "cli-settings", "nope=true", f"{push}=maybe")
    assert (refused.code, refused.out.count("ERR_BAD_REQUEST")) == (1, 2)
    assert (await manager("apps", "unset", "cli-settings", replies)).code == 0
    found = (await manager("apps", "settings", "cli-settings", "--json")).json
    assert (found[replies], found[push]) == (True, True)
    assert (await manager("apps", "unset", "cli-settings")).code == 0
    assert (await manager("apps", "settings", "cli-settings", "--json")).json[push] is False


async def test_management_credentials_are_found_in_the_data_directory_or_asked_for(
    shell: Shell, server: Client
) -> None:
    asked = await shell("apps", "list")
    assert (asked.code, "ERR_NO_MANAGEMENT_KEY" in asked.err) == (2, True)
    own = server.credentials
    (shell.folder / "credentials.toml").write_text(
        f'management_key = "{own.management_key}"\nmanagement_secret = "{own.management_secret}"\n'
    )
    found = await shell("apps", "list", "--data-dir", str(shell.folder), "--json")
    assert found.json[0]["id"] == own.app_id
    wrong = await shell(
        "apps", "list", "--management-key", "x" * 40, "--management-secret", "y" * 40
    )
    assert (wrong.code, "AUTH_ERR_APIKEY_NOT_FOUND" in wrong.err) == (1, True)


async def test_a_key_lives_from_creation_to_deletion(shell: Shell, server: Client) -> None:
    made = (await shell("keys", "create", "CI", "--scope", "fullAccess", "--json")).json
    key = made["apiKey"]
    assert (await server.call("GET", "/users", key=key)).status == 200
    listed = (await shell("keys", "list", "--search", "CI", "--json")).json
    assert [entry["name"] for entry in listed] == ["CI"]
    changed = await shell("keys", "update", key, "--scope", "authOnly", "--json")
    assert changed.json["scope"] == "authOnly"
    assert (await shell("keys", "delete", key)).code == 0
    assert (await server.call("GET", "/users", key=key)).status == 401


async def test_users_go_and_come_back(shell: Shell) -> None:
    for uid in ("ann", "ben", "cat"):
        await shell("users", "create", uid)
    gone = (await shell("users", "deactivate", "ann", "ben", "--json")).json
    assert gone == {"deactivatedUids": ["ann", "ben"]}
    assert (await shell("users", "get", "ann")).code == 1
    assert (await shell("users", "reactivate", "ann")).code == 0
    assert (await shell("users", "get", "ann")).code == 0
    assert (await shell("users", "delete", "cat", "--permanent")).code == 0
    assert (await shell("users", "get", "cat")).code == 1


async def test_users_are_blocked_banned_and_given_tokens(shell: Shell) -> None:
    for uid in ("una", "vic"):
        await shell("users", "create", uid)
    assert (await shell("users", "block", "una", "vic")).code == 0
    blocked = (await shell("users", "blocked", "una", "--json")).json
    assert [user["uid"] for user in blocked] == ["vic"]
    assert (await shell("users", "unblock", "una", "vic")).code == 0
    assert (await shell("users", "blocked", "una", "--json")).json == []
    await shell("groups", "create", "banning", "--admin", "una", "--participant", "vic")
    assert (await shell("members", "ban", "banning", "vic")).code == 0
    banned = (await shell("members", "banned", "banning", "--json")).json
    assert [user["uid"] for user in banned] == ["vic"]
    assert (await shell("members", "unban", "banning", "vic")).code == 0
    token = (await shell("users", "create-token", "una", "--json")).json["authToken"]
    assert token.startswith("una_")
    assert len((await shell("users", "tokens", "una", "--json")).json) == 1
    assert (await shell("users", "clear-tokens", "una")).code == 0
    assert (await shell("users", "tokens", "una", "--json")).json == []


async def test_a_test_fire_goes_to_all_webhooks_with_values_of_ones_own(
    shell: Shell, endpoint: ScriptedEndpoint
) -> None:
    for name in ("fire-1", "fire-2"):
        await shell("webhooks", "create", name, endpoint.url(f"/{name}"))
    run = await shell(
        *("trigger", "message_sent", "--webhook", "all", "--json"),
        *("--set", "message.data.text=Hello", "--set", 'message.data.metadata={"n": 1}'),
    )
    assert {answer["webhook"] for answer in run.json} >= {"fire-1", "fire-2"}
    sent = [one for one in endpoint.requests if one.path in ("/fire-1", "/fire-2")]
    assert len(sent) == 2
    for request in sent:
        assert b'"text":"Hello"' in request.body
        assert b'"metadata":{"n":1}' in request.body
    refused = await shell("trigger", "message_sent", "--webhook", "fire-1", "--set", "nope=1")
    assert (refused.code, "ERR_BAD_REQUEST" in refused.err) == (1, True)
    unclear = await shell("trigger", "message_sent", "--webhook", "fire-1", "--set", "nope")
    assert unclear.code == 2
    for name in ("fire-1", "fire-2"):
        assert (await shell("webhooks", "delete", name)).code == 0


async def test_a_big_replay_is_followed_to_its_end(
    shell: Shell, server: Client, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "DELIVERIES_PER_TRANSACTION", 1)
    monkeypatch.setattr(replay_module, "TRANSACTIONS_PER_CALL_MAX", 1)
    await shell("users", "create", "rex")
    await shell("webhooks", "create", "again", endpoint.url("/again"), "--trigger", "message_sent")
    for text in ("one", "two", "three"):
        await shell("messages", "send", "--to", "rex", text)

    async def delivered() -> bool:
        path = "/webhooks/again/deliveries?state=delivered"
        return len((await server.call("GET", path)).data) == 3

    await until(delivered)
    listed = await shell("deliveries", "list", "again", "--from-number", "2", "--json")
    assert [item["number"] for item in listed.json] == [3, 2]
    counted = await shell(
        *("deliveries", "replay", "--webhook", "again", "--state", "delivered"),
        *("--to-number", "2", "--dry-run", "--json"),
    )
    assert (counted.json["matched"], counted.json["cost"]["requests"]) == (2, 2)
    run = await shell(
        "deliveries", "replay", "--webhook", "again", "--state", "delivered", "--json"
    )
    replay = run.json["replay"]["id"]
    assert f"replay-status {replay}" in run.err
    waited = await shell("deliveries", "replay-status", replay, "--wait", "--json")
    assert (waited.json["state"], waited.json["replayed"]) == ("done", 3)
    table = await shell("deliveries", "replays", "again")
    assert "100%" in table.out
    assert (await shell("deliveries", "replay-stop", replay, "--json")).json["state"] == "done"
    unknown = await shell("deliveries", "replay-stop", "rpl_999")
    assert (unknown.code, "ERR_REPLAY_NOT_FOUND" in unknown.err) == (1, True)


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://chat.example.com", True),
        ("http://192.0.2.7:8080", True),
        ("http://[2001:db8::1]:8080", True),
        ("https://chat.example.com", False),
        ("http://127.0.0.1:8080", False),
        ("http://[::1]:8080", False),
        ("http://localhost:8080", False),
        ("http://app.localhost", False),
    ],
)
def test_a_key_in_clear_to_another_machine_is_told_apart(url: str, clear: bool) -> None:
    assert sends_in_clear(url) is clear


async def test_a_key_sent_in_clear_is_warned_of(shell: Shell) -> None:
    # A name that never resolves (RFC 6761), so that nothing is sent.
    run = await shell("users", "list", "--url", "http://nowhere.invalid:1")
    assert run.code == 3
    assert "plain http to another machine" in run.err
    quiet = await shell("users", "list")
    assert "Warning" not in quiet.err
