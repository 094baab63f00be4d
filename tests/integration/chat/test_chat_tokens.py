"""Auth tokens: kept as SHA-256, at most 100 per user (rest-api.md A3, C3, delivery contract §4)."""

import pytest

from chathooks.chat.limits import AUTH_TOKENS_PER_USER_MAX
from chathooks.chat.requests import TokenChange
from chathooks.kernel.crypto import digest
from chathooks.kernel.errors import ChathooksError
from support import stores
from support.chat import Chat, plain

pytestmark = pytest.mark.anyio


async def test_a_token_is_shown_once_and_kept_as_its_digest(chat: Chat) -> None:
    created = await chat.tokens.create(chat.app, "alice")
    assert created.auth_token.startswith(f"alice_{chat.now_s}")
    assert chat.sql("SELECT digest FROM auth_tokens") == [(digest(created.auth_token),)]
    read = await chat.tokens.get(chat.app, "alice", created.auth_token)
    assert read.auth_token == "********" + created.auth_token[-4:]
    assert not stores.current.holds(chat.path, created.auth_token)


async def test_the_oldest_token_goes_where_a_user_has_too_many(chat: Chat) -> None:
    tokens = []
    for _ in range(AUTH_TOKENS_PER_USER_MAX + 1):
        tokens.append((await chat.tokens.create(chat.app, "alice")).auth_token)
        chat.clock.advance(1_000)
    page = await chat.tokens.page(chat.app, "alice", limit=1_000, offset=0)
    assert page.total == len(page.tokens) == AUTH_TOKENS_PER_USER_MAX
    with pytest.raises(ChathooksError, match="ERR_AUTH_TOKEN_NOT_FOUND"):
        await chat.tokens.get(chat.app, "alice", tokens[0])
    for token in (tokens[1], tokens[-1]):
        await chat.tokens.get(chat.app, "alice", token)


async def test_a_token_tells_where_it_is_used(chat: Chat) -> None:
    token = (await chat.tokens.create(chat.app, "alice")).auth_token
    change = TokenChange(platform="ios", user_agent="x/1", app_info={"version": "1"})
    told = plain(await chat.tokens.update(chat.app, "alice", token, change))
    assert told["platform"] == "ios"
    assert told["userAgent"] == "x/1"
    assert told["appInfo"] == {"version": "1"}
    await chat.tokens.update(chat.app, "alice", token, TokenChange(platform="web"))
    assert plain(await chat.tokens.get(chat.app, "alice", token)) == {**told, "platform": "web"}
    for wrong in (TokenChange(), TokenChange(app_info="x" * 6_000)):
        with pytest.raises(ChathooksError, match="ERR_BAD_REQUEST"):
            await chat.tokens.update(chat.app, "alice", token, wrong)


async def test_a_token_is_reached_through_its_own_user_alone(chat: Chat) -> None:
    token = (await chat.tokens.create(chat.app, "alice")).auth_token
    for uid, given, code in (
        ("bob", token, "ERR_AUTHTOKEN_NOT_ACCESSIBLE"),
        ("alice", "none", "ERR_AUTH_TOKEN_NOT_FOUND"),
        ("nobody", token, "ERR_UID_NOT_FOUND"),
        ("app_system", token, "ERR_UID_NOT_FOUND"),
    ):
        with pytest.raises(ChathooksError, match=code):
            await chat.tokens.delete(chat.app, uid, given)
    await chat.tokens.delete(chat.app, "alice", token)
    assert chat.sql("SELECT * FROM auth_tokens") == []


async def test_all_tokens_of_a_user_are_cleared_and_nobody_elses(chat: Chat) -> None:
    await chat.tokens.create(chat.app, "alice")
    await chat.tokens.create(chat.app, "bob")
    await chat.tokens.clear(chat.app, "alice")
    assert (await chat.tokens.page(chat.app, "alice", limit=10, offset=0)).total == 0
    assert (await chat.tokens.page(chat.app, "bob", limit=10, offset=0)).total == 1
    assert chat.events() == []
