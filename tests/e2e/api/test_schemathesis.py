"""Generated requests against the running server: it answers as its OpenAPI document says, and never with a 5xx.

The document is the one the server hands out, so a route whose declaration and behaviour differ fails here.
"""

import asyncio
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chathooks.api.problems import STATUS_BY_CODE
from support.server import Client, Server, running

pytestmark = pytest.mark.anyio

EXAMPLES_PER_OPERATION = 25
KNOWN = {
    "appId": "app1",
    "onBehalfOf": "alice",
    "uid": "alice",
    "guid": "club",
    "id": "1",
    "webhookId": "w1",
    "name": "message_sent",
    "deliveryId": "dlv_1_1",
}
"""Ids of what `furnish` makes."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


async def furnish(server: Client) -> None:
    """A user, a group with a message, and a webhook whose deliveries reach nobody."""
    message = {
        "receiver": "club",
        "receiverType": "group",
        "category": "message",
        "type": "text",
        "data": {"text": "hello"},
    }
    # A name below .invalid never resolves (RFC 6761 §6.4), so no attempt leaves the machine.
    hook = {
        "id": "w1",
        "name": "n",
        "webhookURL": "https://hooks.invalid/",
        "triggers": ["message_sent"],
    }
    for path, body in (
        ("/users", {"uid": "alice", "name": "Alice"}),
        ("/webhooks", hook),
        ("/groups", {"guid": "club", "name": "Club", "type": "public"}),
        ("/messages", message),
    ):
        answer = await server.call("POST", path, body)
        assert answer.status == 200, answer.body


def check_envelope(answer: Any) -> None:
    body = answer.json()
    if answer.status_code == 200:
        assert "data" in body
        assert set(body) <= {"data", "meta"}
    else:
        error = body["error"]
        assert set(error) == {"code", "message", "details"}
        assert STATUS_BY_CODE[error["code"]] == answer.status_code


def exercise(server: Client, operation: Any, mode: GenerationMode) -> set[int]:
    """Send generated requests of one operation, check every answer, return the statuses."""
    seen = set()
    # The app that all other calls are made in must stay.
    deletes_apps = operation.method.upper() == "DELETE" and operation.path == "/apps/{appId}"
    headers = {
        "apikey": server.credentials.api_key,
        "key": server.credentials.management_key,
        "secret": server.credentials.management_secret,
    }

    @settings(
        max_examples=EXAMPLES_PER_OPERATION,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def run(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        parameters = case.path_parameters or {}
        for name in parameters:
            # Made-up ids alone would meet nothing that is there.
            wanted = name == "appId" or (name in KNOWN and data.draw(st.booleans()))
            if wanted and not deletes_apps:
                parameters[name] = KNOWN[name]
        for name in ("appId", "onBehalfOf"):
            if name in (case.headers or {}):
                case.headers[name] = KNOWN[name]
        answer = case.call(base_url=server.url, headers=headers, timeout=10)
        case.validate_response(answer, checks=CHECKS)
        check_envelope(answer)
        seen.add(answer.status_code)

    run()
    return seen


def takes(operation: Any, mode: GenerationMode) -> bool:
    """Whether requests of this kind can be made: without a body or a query nothing can be wrong."""
    return mode is GenerationMode.POSITIVE or bool(operation.body or operation.query)


def operations(document: dict[str, Any]) -> list[Any]:
    schema = schemathesis.openapi.from_dict(document)
    return [result.ok() for result in schema.get_all_operations()]


async def test_every_operation_answers_as_the_document_says(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        await furnish(server)
        document = (await server.request("GET", "/docs/openapi.json")).json

        def run() -> dict[GenerationMode, set[int]]:
            found = operations(document)
            assert len(found) == sum(len(methods) for methods in document["paths"].values())
            return {
                mode: set().union(
                    *(exercise(server, one, mode) for one in found if takes(one, mode))
                )
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            }

        seen = await asyncio.to_thread(run)
        # What is generated by the document is accepted, and what breaks it is refused.
        assert {200, 404} <= seen[GenerationMode.POSITIVE]
        assert {400, 404} <= seen[GenerationMode.NEGATIVE]


async def test_the_document_describes_every_delivered_body(server: Server) -> None:
    document = (await server.request("GET", "/docs/openapi.json")).json
    assert document["openapi"].startswith("3.1.")
    assert len(document["webhooks"]) == 58
    for webhook in document["webhooks"].values():
        content = webhook["post"]["requestBody"]["content"]["application/json"]
        jsonschema.Draft202012Validator(content["schema"]).validate(content["example"])


async def test_every_reference_of_the_document_leads_somewhere(server: Server) -> None:
    document = (await server.request("GET", "/docs/openapi.json")).json
    schemas = document["components"]["schemas"]
    waiting: list[Any] = [document["paths"], schemas]
    references = set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if isinstance(item.get("$ref"), str):
                references.add(item["$ref"])
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    assert references
    assert {reference.rpartition("/")[2] for reference in references} <= set(schemas)


async def test_every_operation_has_an_id_of_its_own(server: Server) -> None:
    document = (await server.request("GET", "/docs/openapi.json")).json
    ids = [
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    ]
    assert len(ids) == len(set(ids))
