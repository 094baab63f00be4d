"""Blocked users (rest-api.md C5)."""

from chathooks.api.chat_answers import SearchKey
from chathooks.api.paging import PageMeta, PageQuery, page_meta
from chathooks.api.routing import Answer, Call, Route
from chathooks.chat.blocks import BlockResult, Blocks
from chathooks.chat.requests import BlockedUids
from chathooks_events.entities import User

TAG = "Users"
PATH = "/users/{uid}/blockedusers"


class BlockQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Query of the list of blocked users."""

    search_key: SearchKey = ""
    """The beginning of the uid or the name."""


class BlockRoutes:
    """Handlers of `/users/{uid}/blockedusers`."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    async def block(self, call: Call) -> Answer:
        uid = call.path["uid"].lower()
        return Answer(await self._blocks.block(call.app.key, uid, call.body.blocked_uids))

    async def unblock(self, call: Call) -> Answer:
        uid = call.path["uid"].lower()
        return Answer(await self._blocks.unblock(call.app.key, uid, call.body.blocked_uids))

    async def page(self, call: Call) -> Answer:
        query: BlockQuery = call.query
        page = await self._blocks.page(
            call.app.key,
            call.path["uid"].lower(),
            query.search_key or None,
            limit=query.per_page,
            offset=query.offset,
        )
        last = page.blocked[-1].blocked_at if page.blocked else None
        meta = page_meta(query, total=page.total, count=len(page.blocked), updated_at=last)
        return Answer(page.blocked, meta)

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [
            Route(
                method="POST",
                path=PATH,
                handler=self.block,
                summary="Block users",
                tag=TAG,
                answer=dict[str, BlockResult],
                body=BlockedUids,
                errors=("ERR_UID_NOT_FOUND",),
            ),
            Route(
                method="DELETE",
                path=PATH,
                handler=self.unblock,
                summary="Unblock users",
                tag=TAG,
                answer=dict[str, BlockResult],
                body=BlockedUids,
                errors=("ERR_UID_NOT_FOUND",),
            ),
            Route(
                method="GET",
                path=PATH,
                handler=self.page,
                summary="List blocked users",
                tag=TAG,
                answer=list[User],
                meta=PageMeta,
                query=BlockQuery,
                errors=("ERR_UID_NOT_FOUND",),
            ),
        ]
