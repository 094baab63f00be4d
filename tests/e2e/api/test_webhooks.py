"""Webhook management on both mounts (rest-api.md B1, delivery contract §4, §6, §7)."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chathooks.egress.guard import TargetPolicy
from support.server import Response, Server, serving

pytestmark = pytest.mark.anyio

URL = "https://hooks.example.com/in"


def new(webhook_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": webhook_id, "name": "Orders", "webhookURL": URL, **fields}


async def made(server: Server, webhook_id: str, **fields: Any) -> dict[str, Any]:
    found = (await server.call("POST", "/webhooks", new(webhook_id, **fields))).data
    assert isinstance(found, dict)
    return found


def refused(answer: Response, field: str) -> None:
    assert (answer.status, answer.code) == (400, "ERR_BAD_REQUEST"), answer.body
    assert field in answer.details


async def test_a_created_webhook_has_the_documented_defaults(server: Server) -> None:
    webhook = await made(server, "defaults")
    assert webhook.pop("secret").startswith("whsec_")
    assert webhook.pop("createdAt") == webhook.pop("updatedAt")
    assert webhook == {
        "id": "defaults",
        "name": "Orders",
        "webhookURL": URL,
        "useBasicAuth": False,
        "enabled": True,
        "retryOnFailure": False,
        "ordered": False,
        "maxConcurrency": 64,
        "triggers": [],
    }


async def test_all_fields_of_a_webhook_come_back_with_the_password_masked(server: Server) -> None:
    fields = {
        "useBasicAuth": True,
        "username": "user name!",
        "password": "p:ss ~",
        "enabled": False,
        "retryOnFailure": True,
        "ordered": True,
        "maxConcurrency": 1000,
        "triggers": ["user_blocked", "message_sent"],
    }
    webhook = await made(server, "All-Fields_1", **fields)
    shown = (await server.call("GET", "/webhooks/All-Fields_1")).data
    assert "secret" not in shown
    assert shown == {key: value for key, value in webhook.items() if key != "secret"}
    assert {key: shown[key] for key in fields} == {
        **fields,
        "password": "********",
        "triggers": ["message_sent", "user_blocked"],
    }


async def test_both_mounts_show_the_same_webhooks(server: Server) -> None:
    answer = await server.manage("POST", "/webhooks", new("both"))
    assert answer.status == 200
    by_key = await server.call("GET", "/webhooks/both")
    by_secret = await server.manage("GET", "/webhooks/both")
    assert by_key.data == by_secret.data
    assert (await server.manage("DELETE", "/webhooks/both")).data == {
        "success": True,
        "message": "Deleted Webhook successfully.",
    }
    assert (await server.call("GET", "/webhooks/both")).status == 404


async def test_the_webhook_version_may_be_2_or_absent(server: Server) -> None:
    for call in (server.call, server.manage):
        assert (await call("GET", "/webhooks", headers={"X-Webhook-Version": "2"})).status == 200
        for other in ("1", "", "2.0"):
            answer = await call("GET", "/webhooks", headers={"X-Webhook-Version": other})
            refused(answer, "X-Webhook-Version")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "a" * 51),
        ("id", "a b"),
        ("id", "a/b"),
        ("id", "ä"),
        ("id", "a\n"),
        ("id", 1),
        ("name", ""),
        ("name", "n" * 51),
        ("name", None),
        ("webhookURL", ""),
        ("useBasicAuth", "yes"),
        ("username", "u" * 51),
        ("username", "a:b"),
        ("username", "é"),
        ("username", "a\n"),
        ("password", "p" * 101),
        ("password", "pass\tword"),
        ("password", "********"),
        ("enabled", 1),
        ("retryOnFailure", "true"),
        ("ordered", None),
        ("maxConcurrency", 0),
        ("maxConcurrency", 1001),
        ("maxConcurrency", 1.5),
        ("maxConcurrency", 10**30),
        ("triggers", "message_sent"),
        ("unknown", 1),
    ],
)
async def test_a_field_out_of_bounds_is_refused_by_name(
    server: Server, field: str, value: Any
) -> None:
    before = (await server.call("GET", "/webhooks")).json["meta"]["pagination"]["total"]
    refused(await server.call("POST", "/webhooks", {**new("bounds"), field: value}), field)
    after = (await server.call("GET", "/webhooks")).json["meta"]["pagination"]["total"]
    assert before == after


@pytest.mark.parametrize("field", ["id", "name", "webhookURL"])
async def test_a_missing_field_is_refused_by_name(server: Server, field: str) -> None:
    body = {key: value for key, value in new("missing").items() if key != field}
    answer = await server.call("POST", "/webhooks", body)
    refused(answer, field)
    assert answer.details[field] == "is required"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "https://user:pass@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:80/",
        "https://hooks.example.com:1023/",
        "https://hooks.example.com:65536/",
        "https://localhost/",
        "https://printer.local/",
        "https://db.internal/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://hooks.example.com/" + "x" * 230,
        "not a url",
        "https://",
    ],
)
async def test_a_url_that_breaks_a_rule_is_refused_naming_it(server: Server, url: str) -> None:
    await made(server, "url-probe") if (
        await server.call("GET", "/webhooks/url-probe")
    ).status == 404 else None
    for method, path, body in (
        ("POST", "/webhooks", new("refused-url", webhookURL=url)),
        ("PUT", "/webhooks/url-probe", {"webhookURL": url}),
    ):
        answer = await server.call(method, path, body)
        refused(answer, "webhookURL")
    assert (await server.call("GET", "/webhooks/refused-url")).status == 404
    assert (await server.call("GET", "/webhooks/url-probe")).data["webhookURL"] == URL


async def test_the_operator_may_allow_http_and_private_networks(tmp_path: Path) -> None:
    policy = TargetPolicy.of(["127.0.0.0/8"], allow_http=True)
    async with serving(tmp_path, policy=policy) as server:
        await made(server, "local", webhookURL="http://127.0.0.1:9000/in")
        refused(
            await server.call("POST", "/webhooks", new("ten", webhookURL="http://10.0.0.1/")),
            "webhookURL",
        )


async def test_an_id_is_taken_once_and_keeps_its_case(server: Server) -> None:
    await made(server, "Taken")
    answer = await server.call("POST", "/webhooks", new("Taken"))
    assert (answer.status, answer.code) == (400, "ERR_WEBHOOK_ALREADY_EXISTS")
    await made(server, "taken")


async def test_an_app_has_as_many_webhooks_as_the_limit_says(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        for number in range(25):
            await made(server, f"w{number}")
        answer = await server.call("POST", "/webhooks", new("w25"))
        assert (answer.status, answer.code) == (400, "ERR_PLAN_QUOTA_RESTRICTION")
        await server.call("DELETE", "/webhooks/w3")
        await made(server, "w25")


async def test_an_unknown_trigger_refuses_the_whole_creation(server: Server) -> None:
    body = new("unknown-trigger", triggers=["message_sent", "message_sung"])
    answer = await server.call("POST", "/webhooks", body)
    assert (answer.status, answer.code) == (404, "ERR_TRIGGER_NOT_FOUND")
    assert "message_sung" in answer.json["error"]["message"]
    assert (await server.call("GET", "/webhooks/unknown-trigger")).status == 404


@pytest.mark.parametrize(
    "credentials", [{}, {"username": "u"}, {"password": "p"}, {"username": "", "password": "p"}]
)
async def test_basic_auth_without_both_credentials_is_refused(
    server: Server, credentials: Mapping[str, str]
) -> None:
    answer = await server.call("POST", "/webhooks", new("basic", useBasicAuth=True, **credentials))
    assert (answer.status, answer.code) == (400, "ERR_BAD_REQUEST")
    assert set(answer.details) <= {"username", "password"}
    assert answer.details


async def test_basic_auth_may_be_switched_on_when_both_credentials_are_there(
    server: Server,
) -> None:
    await made(server, "basic-later")
    refused(await server.call("PUT", "/webhooks/basic-later", {"useBasicAuth": True}), "username")
    body = {"useBasicAuth": True, "username": "u", "password": "p"}
    assert (await server.call("PUT", "/webhooks/basic-later", body)).data["useBasicAuth"] is True
    refused(await server.call("PUT", "/webhooks/basic-later", {"password": ""}), "password")


async def test_an_update_changes_the_named_fields_alone(server: Server) -> None:
    before = await made(server, "patched", username="u", password="p", triggers=["message_sent"])
    body = {"name": "New", "enabled": False, "maxConcurrency": 3, "password": "********"}
    after = (await server.call("PUT", "/webhooks/patched", body)).data
    before.pop("secret")
    assert after.pop("updatedAt") >= before.pop("updatedAt")
    assert after == {**before, "name": "New", "enabled": False, "maxConcurrency": 3}


async def test_an_update_cannot_change_the_id_or_the_triggers(server: Server) -> None:
    await made(server, "fixed")
    refused(await server.call("PUT", "/webhooks/fixed", {"id": "other"}), "id")
    refused(await server.call("PUT", "/webhooks/fixed", {"triggers": []}), "triggers")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/webhooks/none", None),
        ("PUT", "/webhooks/none", {"name": "n"}),
        ("DELETE", "/webhooks/none", None),
        ("GET", "/webhooks/none/triggers", None),
        ("POST", "/webhooks/none/triggers", {"triggerIds": ["message_sent"]}),
        ("DELETE", "/webhooks/none/triggers", {"triggerIds": ["message_sent"]}),
        ("POST", "/webhooks/none/secret/rotate", None),
        ("GET", "/webhooks/none/deliveries", None),
        ("GET", "/webhooks/a%2Fb%20%C3%A4", None),
    ],
)
async def test_an_unknown_webhook_is_not_found(
    server: Server, method: str, path: str, body: Any
) -> None:
    for call in (server.call, server.manage):
        answer = await call(method, path, body)
        assert (answer.status, answer.code) == (404, "ERR_WEBHOOK_NOT_FOUND")


async def test_the_list_pages_in_the_order_of_creation_and_searches_names(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        for number in range(5):
            await made(server, f"w{number}", name=f"Orders {number}")
        await server.call("DELETE", "/webhooks/w1")
        answer = await server.call("GET", "/webhooks?perPage=2&page=2")
        assert [webhook["id"] for webhook in answer.data] == ["w3", "w4"]
        assert answer.json["meta"]["pagination"] == {
            "total": 4,
            "count": 2,
            "per_page": 2,
            "current_page": 2,
            "total_pages": 2,
        }
        found = await server.call("GET", "/webhooks?searchKey=ORDERS%203")
        assert [webhook["id"] for webhook in found.data] == ["w3"]
        assert (await server.call("GET", "/webhooks?page=99")).data == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("perPage=0", "perPage"),
        ("perPage=1001", "perPage"),
        ("perPage=", "perPage"),
        ("perPage=x", "perPage"),
        ("perPage=1&perPage=2", "perPage"),
        ("page=0", "page"),
        ("page=99999999999999999999", "page"),
        ("nope=1", "nope"),
    ],
)
async def test_a_query_out_of_bounds_is_refused_by_name(
    server: Server, query: str, field: str
) -> None:
    refused(await server.call("GET", f"/webhooks?{query}"), field)


async def test_triggers_are_added_and_removed_with_an_answer_per_name(server: Server) -> None:
    await made(server, "subscriber", triggers=["user_blocked"])
    names = ["message_sent", "nope", "user_blocked"]
    added = (await server.call("POST", "/webhooks/subscriber/triggers", {"triggerIds": names})).data
    success = {"success": True, "message": "Triggers has been added successfully."}
    assert added["message_sent"] == added["user_blocked"] == success
    assert added["nope"]["success"] is False
    assert added["nope"]["error"]["code"] == "ERR_TRIGGER_NOT_FOUND"

    listed = await server.call("GET", "/webhooks/subscriber/triggers")
    assert [trigger["id"] for trigger in listed.data] == ["message_sent", "user_blocked"]
    assert listed.data[0] == {
        "id": "message_sent",
        "name": "message_sent",
        "description": "A message was sent.",
        "category": "message",
    }

    removed = (
        await server.call("DELETE", "/webhooks/subscriber/triggers", {"triggerIds": names[:2]})
    ).data
    assert removed["message_sent"] == {
        "success": True,
        "message": "Removed trigger successfully.",
    }
    assert removed["nope"]["success"] is False
    assert (await server.call("GET", "/webhooks/subscriber")).data["triggers"] == ["user_blocked"]


async def test_trigger_ids_are_required(server: Server) -> None:
    await made(server, "no-ids")
    refused(await server.call("POST", "/webhooks/no-ids/triggers", {}), "triggerIds")
    body = {"triggerIds": ["ok", 1]}
    refused(await server.call("POST", "/webhooks/no-ids/triggers", body), "triggerIds[1]")


async def test_a_webhook_made_again_after_its_deletion_is_a_new_one(server: Server) -> None:
    first = await made(server, "phoenix", triggers=["message_sent"], username="u")
    await server.call("DELETE", "/webhooks/phoenix")
    second = await made(server, "phoenix", name="Second")
    assert second["secret"] != first["secret"]
    assert (second["name"], second["triggers"]) == ("Second", [])
    assert "username" not in second


async def test_a_rotated_secret_is_shown_once_with_the_end_of_the_previous_one(
    server: Server,
) -> None:
    webhook = await made(server, "rotating")
    answer = await server.call("POST", "/webhooks/rotating/secret/rotate")
    rotated = answer.data
    assert set(rotated) == {"secret", "previousExpiresAt"}
    assert rotated["secret"] not in ("", webhook["secret"])
    day_ms = 86_400_000
    created_ms = webhook["createdAt"] * 1000
    assert created_ms + day_ms <= rotated["previousExpiresAt"] <= created_ms + day_ms + 60_000
    short = await server.call("POST", "/webhooks/rotating/secret/rotate", {"overlapSeconds": 0})
    assert short.data["previousExpiresAt"] <= created_ms + 60_000
    for wrong in (-1, 10**9, "1"):
        body = {"overlapSeconds": wrong}
        refused(
            await server.call("POST", "/webhooks/rotating/secret/rotate", body), "overlapSeconds"
        )


async def test_creations_at_the_same_moment_do_not_pass_the_limit(tmp_path: Path) -> None:
    async with serving(tmp_path, webhooks_per_app=5) as server:
        answers = await asyncio.gather(
            *(server.call("POST", "/webhooks", new(f"w{number}")) for number in range(12)),
            *(server.call("POST", "/webhooks", new("same")) for _ in range(4)),
        )
        assert [answer.status for answer in answers].count(200) == 5
        assert len((await server.call("GET", "/webhooks")).data) == 5
