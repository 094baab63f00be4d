"""Users, groups, members and messages from the command line, on the whole server."""

import json

import pytest

from support.command_line import COLUMNS, Shell
from support.server import Client

pytestmark = pytest.mark.anyio


async def make_users(shell: Shell, *uids: str) -> None:
    for uid in uids:
        await shell("users", "create", uid)


async def test_a_user_is_created_read_changed_and_listed(shell: Shell, server: Client) -> None:
    made = await shell(
        *("users", "create", "ada", "--name", "Ada", "--tag", "x", "--tag", "y"),
        *("--metadata", '{"team": 7}', "--json"),
    )
    assert made.json["name"] == "Ada"
    assert made.json["tags"] == ["x", "y"]
    assert made.json["metadata"] == {"team": 7}
    changed = await shell("users", "update", "ada", "--name", "Ada L.", "--unset", "metadata")
    assert "Ada L." in changed.out
    assert (await shell("users", "get", "ada", "--json")).json == (
        await server.call("GET", "/users/ada")
    ).data
    assert "metadata" not in (await shell("users", "get", "ada", "--json")).json
    listed = await shell("users", "list", "--search", "ad", "--tag", "x", "--json")
    assert [user["uid"] for user in listed.json] == ["ada"]


async def test_the_name_of_a_user_is_the_uid_where_none_is_given(shell: Shell) -> None:
    assert (await shell("users", "create", "noname", "--json")).json["name"] == "noname"


async def test_an_auth_token_is_shown_where_it_was_asked_for(shell: Shell) -> None:
    assert "authToken" in (await shell("users", "create", "tok", "--with-auth-token")).out


async def test_a_list_goes_over_pages_up_to_its_limit_and_says_that_there_is_more(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chathooks.cli.pages.PAGE_ITEMS_MAX", 3)
    uids = [f"page{number}" for number in range(8)]
    await make_users(shell, *uids)
    some = await shell("users", "list", "--search", "page", "--limit", "5", "--json")
    assert [user["uid"] for user in some.json] == uids[:5]
    assert "Shown: 5 of 8. There are more: --all" in some.err
    everything = await shell("users", "list", "--search", "page", "--all", "--json")
    assert [user["uid"] for user in everything.json] == uids
    assert everything.err == "Read 8 of 8.\n"
    exact = await shell("users", "list", "--search", "page", "--limit", "8", "--json")
    assert len(exact.json) == 8
    assert exact.err == ""


async def test_tables_fit_80_columns_and_lose_nothing(shell: Shell) -> None:
    uid = "long-" + "u" * 90
    await shell("users", "create", uid, "--name", "wide 漢字 " * 9)
    shown = await shell("users", "list", "--search", "long-")
    assert max(len(line) for line in shown.lines) <= COLUMNS
    assert "uid" in shown.lines[0]
    first = "".join(line.split(" ")[0] for line in shown.lines[2:])
    assert uid in first
    assert max(len(line) for line in (await shell("users", "get", uid)).lines) <= COLUMNS


async def test_names_cannot_steer_the_terminal(shell: Shell) -> None:
    await shell("users", "create", "esc", "--name", "a\x1b[31mred\x07\u202eb\nc")
    for arguments in (("users", "get", "esc"), ("users", "list", "--search", "esc")):
        shown = (await shell(*arguments)).out
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "\u202e" not in shown
        assert "a\ufffd[31mred\ufffd\ufffdb c" in " ".join(shown.split())


async def test_json_is_the_data_of_the_api_unchanged(shell: Shell, server: Client) -> None:
    await make_users(shell, "raw1", "raw2")
    body = {"metadata": {"big": 12345678901234567890, "f": 1.10, "u": "é\u202e"}}
    await server.call("PUT", "/users/raw1", body)
    expected = (await server.call("GET", "/users?searchKey=raw")).data
    printed = await shell("users", "list", "--search", "raw", "--json")
    assert printed.json == expected
    assert "12345678901234567890" in printed.out
    assert printed.out.startswith("[\n")


async def test_a_group_lives_from_creation_to_deletion(shell: Shell, server: Client) -> None:
    await make_users(shell, "gina", "hugo", "ivan")
    made = await shell(
        *("groups", "create", "crew", "--name", "Crew", "--type", "private"),
        *("--admin", "gina", "--participant", "hugo", "--json"),
    )
    assert made.json["type"] == "private"
    assert made.json["members"]["admins"]["gina"]["success"] is True
    assert "Crew" in (await shell("groups", "get", "crew")).out
    await shell("groups", "update", "crew", "--description", "d", "--on-behalf-of", "gina")
    assert (await server.call("GET", "/groups/crew")).data["description"] == "d"

    added = await shell("members", "add", "crew", "--moderator", "ivan", "--participant", "nobody")
    assert added.code == 1
    assert "moderators: ivan" in added.out
    assert "ERR_UID_NOT_FOUND" in "".join(added.out.split())
    scopes = await shell("members", "set-scope", "crew", "hugo", "moderator", "--json")
    assert scopes.json["scope"] == "moderator"
    listed = await shell("members", "list", "crew", "--scope", "moderator", "--json")
    assert {member["uid"] for member in listed.json} == {"hugo", "ivan"}
    kicked = await shell("members", "kick", "crew", "hugo", "--on-behalf-of", "gina")
    assert kicked.out == "The member with hugo has been kicked from the Group with crew.\n"
    seen = await shell("groups", "list", "--joined", "--on-behalf-of", "ivan", "--json")
    assert [group["guid"] for group in seen.json] == ["crew"]
    assert (await shell("groups", "delete", "crew")).code == 0
    assert (await server.call("GET", "/groups/crew")).code == "ERR_GUID_NOT_FOUND"


async def test_a_group_that_cannot_get_all_its_members_is_made_and_says_who_is_missing(
    shell: Shell, server: Client
) -> None:
    await make_users(shell, "kim")
    made = await shell(
        "groups", "create", "half", "--participant", "kim", "--participant", "nobody"
    )
    assert made.code == 1
    assert "participants: kim" in made.out
    assert "ERR_UID_NOT_FOUND" in made.out
    assert (await server.call("GET", "/groups/half")).data["membersCount"] == 2


async def test_a_message_is_shown_without_the_profiles_around_it(shell: Shell) -> None:
    await make_users(shell, "rita", "sven")
    sent = await shell(
        "messages", "send", "--to", "sven", "--on-behalf-of", "rita", "Hi", "--muid", "m"
    )
    assert "data.text       Hi" in sent.out
    assert "entities" not in sent.out
    await shell("groups", "create", "log", "--admin", "rita")
    assert "added" in (await shell("messages", "list", "--group", "log")).out


async def test_messages_are_sent_listed_edited_and_deleted(shell: Shell) -> None:
    await make_users(shell, "mia", "ned")
    sent = await shell(
        "messages", "send", "--to", "ned", "--on-behalf-of", "mia", "Hello Ned", "--json"
    )
    assert (sent.json["sender"], sent.json["receiver"]) == ("mia", "ned")
    assert (sent.json["category"], sent.json["type"]) == ("message", "text")
    number = sent.json["id"]
    assert "Hello Ned" in (await shell("messages", "get", number)).out
    await shell("messages", "edit", number, "Hello again", "--on-behalf-of", "mia")
    listed = await shell("messages", "list", "--user", "ned", "--json")
    assert [item["data"].get("text") for item in listed.json][:1] == ["Hello again"]
    await shell("messages", "delete", number, "--on-behalf-of", "mia")
    assert "deletedAt" in (await shell("messages", "get", number, "--json")).json


async def test_a_message_may_go_to_a_group_with_files_or_data_of_its_own(shell: Shell) -> None:
    await make_users(shell, "olga")
    await shell("groups", "create", "files", "--admin", "olga")
    picture = await shell(
        *("messages", "send", "--to-group", "files", "--on-behalf-of", "olga", "--type", "image"),
        *("--attachment", "https://example.com/a/cat.png?size=1", "--json"),
    )
    assert picture.json["receiverType"] == "group"
    assert picture.json["data"]["attachments"] == [
        {
            "url": "https://example.com/a/cat.png?size=1",
            "name": "cat.png",
            "mimeType": "image/png",
            "extension": "png",
        }
    ]
    place = await shell(
        *("messages", "send", "--to-group", "files", "--on-behalf-of", "olga"),
        *("--type", "place", "--custom-data", '{"lat": 48.1}', "--json"),
    )
    assert (place.json["category"], place.json["data"]["customData"]) == ("custom", {"lat": 48.1})


async def test_messages_are_listed_backwards_over_pages_in_the_order_of_their_ids(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chathooks.cli.pages.PAGE_ITEMS_MAX", 2)
    await make_users(shell, "pia", "quin")
    for number in range(5):
        await shell("messages", "send", "--to", "pia", "--on-behalf-of", "quin", f"m{number}")
    everything = await shell("messages", "list", "--user", "pia", "--all", "--json")
    assert [item["data"]["text"] for item in everything.json] == ["m0", "m1", "m2", "m3", "m4"]
    latest = await shell("messages", "list", "--user", "pia", "--limit", "3", "--json")
    assert [item["data"]["text"] for item in latest.json] == ["m2", "m3", "m4"]
    assert "--all" in latest.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("users", "update", "ada"), "Nothing to change"),
        (("users", "create", "x1", "--metadata", "[1]"), "A JSON object is expected"),
        (("users", "create", "x1", "--metadata", "{"), "--metadata"),
        (("messages", "send", "Hi"), "exactly one of --to and --to-group"),
        (("messages", "send", "Hi", "--to", "a", "--to-group", "b"), "exactly one"),
        (("messages", "list", "--user", "a", "--group", "b"), "at most one"),
        (("groups", "create", "x1", "--type", "secret"), "--type"),
        (("users", "list", "--limit", "0"), "--limit"),
        (("users", "get", ".."), "UID"),
        (("users", "get", "a", "--on-behalf-of", "x\ny"), "--on-behalf-of"),
        (("users", "get", "a", "--api-key", "k\ny"), "The API key"),
        (("users", "lst"), "No such command"),
    ],
)
async def test_bad_usage_ends_with_2_and_sends_nothing(
    shell: Shell, server: Client, arguments: tuple[str, ...], said: str
) -> None:
    run = await shell(*arguments)
    assert run.code == 2
    assert said in run.err
    assert run.out == ""
    assert (await server.call("GET", "/users/x1")).code == "ERR_UID_NOT_FOUND"


async def test_a_refusal_ends_with_1_and_says_code_message_details_and_advice(shell: Shell) -> None:
    missing = await shell("users", "get", "nobody", "--json")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err.startswith("ERR_UID_NOT_FOUND ")
    assert "`chathooks users list` shows the users" in missing.err
    wrong = await shell("users", "create", "bad uid")
    assert wrong.code == 1
    assert wrong.err.startswith("ERR_BAD_REQUEST ")
    assert "\n  uid: " in wrong.err


async def test_path_arguments_stay_one_segment(shell: Shell) -> None:
    run = await shell("users", "get", "a/../b?c#d")
    assert run.code == 1
    assert run.err.startswith("ERR_UID_NOT_FOUND")


async def test_lists_of_nothing_say_so(shell: Shell) -> None:
    assert (await shell("groups", "list", "--search", "zzz")).out == "None.\n"
    assert json.loads((await shell("groups", "list", "--search", "zzz", "--json")).out) == []


async def test_a_thread_is_answered_followed_listed_and_left(shell: Shell) -> None:
    await make_users(shell, "tess", "theo")
    asked = await shell(
        *("messages", "send", "--to", "theo", "--on-behalf-of", "tess", "Who comes?", "--json")
    )
    parent = asked.json["id"]
    for text in ("I do", "Me too"):
        replied = await shell("threads", "reply", parent, text, "--on-behalf-of", "theo", "--json")
        assert replied.json["parentId"] == parent
    replies = await shell("threads", "show", parent, "--json")
    assert [reply["data"]["text"] for reply in replies.json] == ["I do", "Me too"]
    shown = await shell("threads", "list", "--on-behalf-of", "theo")
    assert "Who comes?" in shown.out
    assert "Me too" in shown.out
    assert (await shell("threads", "leave", parent, "--on-behalf-of", "theo")).code == 0
    assert (await shell("threads", "list", "--on-behalf-of", "theo", "--json")).json == []
    assert (await shell("threads", "follow", parent, "--on-behalf-of", "theo")).code == 0
    listed = await shell("threads", "list", "--on-behalf-of", "theo", "--json")
    assert [thread["id"] for thread in listed.json] == [parent]


async def test_all_threads_are_listed_over_several_pages(
    shell: Shell, server: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_users(shell, "page1", "page2")
    monkeypatch.setattr("chathooks.cli.pages.PAGE_ITEMS_MAX", 2)
    parents = []
    for number in range(5):
        sent = await shell(
            *("messages", "send", "--to", "page2", "--on-behalf-of", "page1", f"{number}", "--json")
        )
        parents.append(sent.json["id"])
        await shell("threads", "reply", parents[-1], "so", "--on-behalf-of", "page2")
    listed = await shell("threads", "list", "--all", "--on-behalf-of", "page2", "--json")
    assert [thread["id"] for thread in listed.json] == parents[::-1]


async def test_a_message_is_reacted_to_and_the_reaction_taken_back(shell: Shell) -> None:
    await make_users(shell, "rita", "rolf")
    sent = await shell("messages", "send", "--to", "rolf", "--on-behalf-of", "rita", "Hi", "--json")
    message = sent.json["id"]
    reacted = await shell("messages", "react", message, "👍", "--on-behalf-of", "rolf", "--json")
    assert reacted.json["data"]["reactions"][0]["reaction"] == "👍"
    listed = await shell("messages", "reactions", message)
    assert "👍" in listed.out
    assert "rolf" in listed.out
    assert (await shell("messages", "unreact", message, "👍", "--on-behalf-of", "rolf")).code == 0
    assert (await shell("messages", "reactions", message, "--json")).json == []
