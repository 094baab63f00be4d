"""Work that chat leaves for later: rows of what is gone are taken away in small transactions."""

from chathooks.chat.groups import Groups
from chathooks.chat.reactions import Reactions

UPKEEP_EVERY_S = 2
ROWS_PER_STEP = 500
STEPS_PER_ROUND_MAX = 200
"""A round ends here although more is left: the next one is near."""


class Upkeep:
    """Takes one bounded step after the other."""

    def __init__(self, groups: Groups, reactions: Reactions) -> None:
        self._groups = groups
        self._reactions = reactions

    async def step(self) -> bool:
        """Do a bounded part of what waits, one transaction each; answers whether more may be left."""
        gone = await self._groups.purge(ROWS_PER_STEP)
        gone += await self._reactions.purge(ROWS_PER_STEP)
        return gone > 0

    async def round(self) -> None:
        """Step until nothing is left, or long enough."""
        for _ in range(STEPS_PER_ROUND_MAX):
            if not await self.step():
                return
