"""Auth tokens of users (rest-api.md C3). Keys of scope `authOnly` may create them (delivery contract §7)."""

from chathooks.api.chat_answers import Done
from chathooks.api.paging import PageMeta, PageQuery, page_meta
from chathooks.api.routing import Answer, Call, Route
from chathooks.chat.requests import NewToken, TokenChange
from chathooks.chat.tokens import AuthToken, AuthTokens

TAG = "Auth tokens"
OF_USER = "/users/{uid}/auth_tokens"
ONE = "/users/{uid}/auth_tokens/{authToken}"

_ONE_ERRORS = ("ERR_UID_NOT_FOUND", "ERR_AUTH_TOKEN_NOT_FOUND", "ERR_AUTHTOKEN_NOT_ACCESSIBLE")


class TokenRoutes:
    """Handlers of `/users/{uid}/auth_tokens`."""

    def __init__(self, tokens: AuthTokens) -> None:
        self._tokens = tokens

    async def create(self, call: Call) -> Answer:
        return Answer(await self._tokens.create(call.app.key, call.path["uid"].lower()))

    async def page(self, call: Call) -> Answer:
        query: PageQuery = call.query
        page = await self._tokens.page(
            call.app.key, call.path["uid"].lower(), limit=query.per_page, offset=query.offset
        )
        last = page.tokens[-1].created_at if page.tokens else None
        meta = page_meta(query, total=page.total, count=len(page.tokens), updated_at=last)
        return Answer(page.tokens, meta)

    async def get(self, call: Call) -> Answer:
        uid, token = call.path["uid"].lower(), call.path["authToken"]
        return Answer(await self._tokens.get(call.app.key, uid, token))

    async def update(self, call: Call) -> Answer:
        uid, token = call.path["uid"].lower(), call.path["authToken"]
        return Answer(await self._tokens.update(call.app.key, uid, token, call.body))

    async def delete(self, call: Call) -> Answer:
        uid = call.path["uid"].lower()
        await self._tokens.delete(call.app.key, uid, call.path["authToken"])
        return Answer(Done(True, f"Deleted Auth Token successfully for uid {uid}."))

    async def clear(self, call: Call) -> Answer:
        uid = call.path["uid"].lower()
        await self._tokens.clear(call.app.key, uid)
        return Answer(Done(True, f"Cleared Auth Tokens successfully for uid {uid}."))

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [*self._routes_of_user(), *self._routes_of_one()]

    def _routes_of_user(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path=OF_USER,
                handler=self.create,
                summary="Create an auth token",
                tag=TAG,
                answer=AuthToken,
                body=NewToken,
                body_required=False,
                scope="authOnly",
                errors=("ERR_UID_NOT_FOUND",),
            ),
            Route(
                method="GET",
                path=OF_USER,
                handler=self.page,
                summary="List auth tokens, masked",
                tag=TAG,
                answer=list[AuthToken],
                meta=PageMeta,
                query=PageQuery,
                errors=("ERR_UID_NOT_FOUND",),
            ),
            Route(
                method="DELETE",
                path=OF_USER,
                handler=self.clear,
                summary="Delete all auth tokens of a user",
                tag=TAG,
                answer=Done,
                errors=("ERR_UID_NOT_FOUND",),
            ),
        ]

    def _routes_of_one(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path=ONE,
                handler=self.get,
                summary="Read an auth token, masked",
                tag=TAG,
                answer=AuthToken,
                errors=_ONE_ERRORS,
            ),
            Route(
                method="PUT",
                path=ONE,
                handler=self.update,
                summary="Say where an auth token is used",
                tag=TAG,
                answer=AuthToken,
                body=TokenChange,
                errors=_ONE_ERRORS,
            ),
            Route(
                method="DELETE",
                path=ONE,
                handler=self.delete,
                summary="Delete an auth token",
                tag=TAG,
                answer=Done,
                errors=_ONE_ERRORS,
            ),
        ]
