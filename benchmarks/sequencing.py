"""Side "sequencer": the fan-out of a cluster alone, on the stored backlog of a PostgreSQL database."""

from benchmarks.side import Counted, Spec, Window
from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.health import Health
from chathooks.delivery.sequencer import Sequencer
from chathooks.kernel.clock import SystemClock
from chathooks.kernel.news import News


async def run(spec: Spec) -> Counted:
    """Fan out until the whole feed is done; what counts is events."""
    database = Database(url=spec.database)
    store = await PostgresStore.join_lanes(database, name="sequencer", news=News())
    limit = EngineLimits().backlog_max
    sequencer = Sequencer(store, SystemClock(), Health(), backlog_max=limit)
    window = Window(spec, lambda: spec.events if sequencer.position >= spec.events else 0)
    window.begin()
    await sequencer.start()
    await sequencer.quiet()
    counted = window.end()
    await sequencer.stop()
    await store.close()
    if not counted.done:
        raise RuntimeError(f"the feed was fanned out up to {sequencer.position} only")
    return counted
