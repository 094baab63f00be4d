"""The page on chat over REST names every call, parameter and field that chat takes."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.chat import chat_routes, open_chat

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "chat-rest.md"
ALIASES = {"mentionswithTagInfo"}
"""Other spellings of a parameter that is named."""


def _names(type_: type[msgspec.Struct] | None) -> set[str]:
    """Wire names of a struct's fields, and of the structs in it."""
    found: set[str] = set()
    if type_ is not None:
        described: Any = msgspec.json.schema_components((type_,))[1]
        for component in described.values():
            found |= set(component.get("properties", ()))
    return found


async def test_every_call_parameter_and_field_is_named(tmp_path: Path) -> None:
    text = PAGE.read_text("utf-8")
    async with open_chat(tmp_path) as chat:
        routes = chat_routes(chat.store, chat.core.messages._outbox)
    assert len(routes) > 40
    named = set(re.findall(r"`([A-Za-z]+)`", text))
    for route in routes:
        assert f"`{route.method} {route.path}`" in text
        missing = (_names(route.query) | _names(route.body)) - named - ALIASES
        assert missing == set(), f"{route.method} {route.path}"
