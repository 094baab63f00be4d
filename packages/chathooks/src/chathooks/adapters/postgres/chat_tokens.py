"""Auth tokens of users on PostgreSQL."""

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.chat.store import TokenRecord

_SQL = statements("chat_tokens.sql")


class ChatTokensPart(TransactionPart):
    """See `chathooks.chat.store.TokenTransaction`."""

    async def add_auth_token(
        self, app: int, user: int, digest: bytes, masked: str, created_at: int
    ) -> None:
        await self._run(_SQL["add_auth_token"], (digest, app, user, masked, created_at))

    async def auth_token(self, app: int, digest: bytes) -> TokenRecord | None:
        row = await self._one(_SQL["auth_token"], (digest, app))
        return None if row is None else TokenRecord(*row)

    async def list_auth_tokens(self, user: int, limit: int, offset: int) -> list[TokenRecord]:
        rows = await self._all(_SQL["list_auth_tokens"], (user, limit, offset))
        return [TokenRecord(*row) for row in rows]

    async def count_auth_tokens(self, user: int) -> int:
        count: int = (await self._one(_SQL["count_auth_tokens"], (user,)))[0]
        return count

    async def update_auth_token(self, token: TokenRecord) -> None:
        await self._run(
            _SQL["update_auth_token"],
            (token.platform, token.user_agent, token.app_info, token.digest),
        )

    async def delete_auth_token(self, digest: bytes) -> None:
        await self._run(_SQL["delete_auth_token"], (digest,))

    async def delete_auth_tokens(self, user: int) -> None:
        await self._run(_SQL["delete_auth_tokens"], (user,))

    async def drop_oldest_auth_token(self, user: int) -> None:
        await self._run(_SQL["drop_oldest_auth_token"], (user,))
