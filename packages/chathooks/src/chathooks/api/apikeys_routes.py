"""API keys of the app (rest-api.md C1, delivery contract §4, §7)."""

from typing import Annotated, Literal

import msgspec

from chathooks.api.chat_answers import Done, SearchKey
from chathooks.api.paging import PageMeta, PageQuery, page_meta
from chathooks.api.problems import bad_request
from chathooks.api.routing import Answer, Call, Route
from chathooks.apps.keys import KEY_NAME_CHARS_MAX, ApiKeys
from chathooks.apps.records import ApiKeyRecord, Scope

TAG = "API keys"
ONE = "/apikeys/{apiKey}"

KeyName = Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_NAME_CHARS_MAX)]
KeyScope = Literal["fullAccess", "authOnly"]


class NewApiKey(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Body of `POST /apikeys`."""

    name: KeyName
    scope: KeyScope = "authOnly"


class ApiKeyChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Body of `PUT /apikeys/{apiKey}`: what is absent stays."""

    name: KeyName | None = None
    scope: KeyScope | None = None


class ApiKeyQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Query of the list of API keys."""

    scope: KeyScope | None = None
    search_key: SearchKey = ""
    """The beginning of the name."""


class ApiKeyAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """An API key; `apiKey` is the whole of it in the answer to its creation, else its mask."""

    api_key: str
    name: str
    scope: str
    created_at: int


def _told(record: ApiKeyRecord, key: str | None = None) -> ApiKeyAnswer:
    return ApiKeyAnswer(key or record.masked, record.name, str(record.scope), record.created_at)


class ApiKeyRoutes:
    """Handlers of `/apikeys`."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def create(self, call: Call) -> Answer:
        body: NewApiKey = call.body
        key, record = await self._keys.create(call.app.key, body.name, Scope(body.scope))
        return Answer(_told(record, key))

    async def page(self, call: Call) -> Answer:
        query: ApiKeyQuery = call.query
        begins = query.search_key.casefold()
        found = [
            record
            for record in await self._keys.all(call.app.key)
            if record.name.casefold().startswith(begins) and query.scope in (None, record.scope)
        ]
        shown = found[query.offset : query.offset + query.per_page]
        last = shown[-1].created_at if shown else None
        meta = page_meta(query, total=len(found), count=len(shown), updated_at=last)
        return Answer([_told(record) for record in shown], meta)

    async def get(self, call: Call) -> Answer:
        return Answer(_told(await self._keys.get(call.app.key, call.path["apiKey"])))

    async def update(self, call: Call) -> Answer:
        body: ApiKeyChange = call.body
        if body.name is None and body.scope is None:
            raise bad_request("Name what to change: name or scope.", {"name": "is required"})
        changed = await self._keys.update(
            call.app.key,
            call.path["apiKey"],
            name=body.name,
            scope=None if body.scope is None else Scope(body.scope),
            caller=call.api_key_digest,
        )
        return Answer(_told(changed))

    async def delete(self, call: Call) -> Answer:
        key = call.path["apiKey"]
        record = await self._keys.get(call.app.key, key)
        await self._keys.delete(call.app.key, key, caller=call.api_key_digest)
        return Answer(Done(True, f"The Api Key {record.masked} has been deleted successfully."))

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [
            Route(
                method="POST",
                path="/apikeys",
                handler=self.create,
                summary="Create an API key",
                tag=TAG,
                answer=ApiKeyAnswer,
                body=NewApiKey,
                errors=("ERR_PLAN_QUOTA_RESTRICTION",),
            ),
            Route(
                method="GET",
                path="/apikeys",
                handler=self.page,
                summary="List API keys, masked",
                tag=TAG,
                answer=list[ApiKeyAnswer],
                meta=PageMeta,
                query=ApiKeyQuery,
            ),
            Route(
                method="GET",
                path=ONE,
                handler=self.get,
                summary="Read an API key, masked",
                tag=TAG,
                answer=ApiKeyAnswer,
                errors=("ERR_APIKEY_NOT_FOUND",),
            ),
            Route(
                method="PUT",
                path=ONE,
                handler=self.update,
                summary="Change an API key",
                tag=TAG,
                answer=ApiKeyAnswer,
                body=ApiKeyChange,
                errors=("ERR_APIKEY_NOT_FOUND", "ERR_APIKEY_NO_SELF_ACTION"),
            ),
            Route(
                method="DELETE",
                path=ONE,
                handler=self.delete,
                summary="Delete an API key",
                tag=TAG,
                answer=Done,
                errors=("ERR_APIKEY_NOT_FOUND", "ERR_APIKEY_NO_SELF_ACTION"),
            ),
        ]
