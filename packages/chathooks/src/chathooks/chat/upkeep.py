"""Work that chat leaves for later: departures of users and rows of what is gone, in small transactions."""

from chathooks.chat.departures import Departures
from chathooks.chat.groups import Groups
from chathooks.chat.reactions import Reactions

UPKEEP_EVERY_S = 2
ROWS_PER_STEP = 500
STEPS_PER_ROUND_MAX = 200
"""A round ends here although more is left: the next one is near."""


class Upkeep:
    """Takes one bounded step after the other."""

    def __init__(self, departures: Departures, groups: Groups, reactions: Reactions) -> None:
        self._departures = departures
        self._groups = groups
        self._reactions = reactions

    async def step(self) -> bool:
        """Do a bounded part of what waits, one transaction each; answers whether more may be left."""
        gone = await self._departures.cascade()
        gone += await self._groups.purge(ROWS_PER_STEP)
        gone += await self._reactions.purge(ROWS_PER_STEP)
        return gone > 0

    async def round(self) -> None:
        """Step until nothing is left, or long enough."""
        for _ in range(STEPS_PER_ROUND_MAX):
            if not await self.step():
                return
