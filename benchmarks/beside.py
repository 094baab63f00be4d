"""What the drain is measured beside in figure 7, and the rows that come of it."""

from collections.abc import Callable, Sequence

from benchmarks import celery_side, postgres, rivals
from benchmarks.figures import Row, Target, row
from benchmarks.measuring import Rounds, per_cpu_s, per_s

ON_POSTGRES = "drain-postgres"
QUEUES: dict[str, tuple[str, Callable[[], str]]] = {
    "celery": ("Celery + requests + Redis", celery_side.missing),
    "pgqueuer": ("PgQueuer + aiohttp + PostgreSQL", rivals.pgqueuer_missing),
    "faststream": ("FastStream + aiohttp + NATS JetStream", rivals.faststream_missing),
    ON_POSTGRES: ("backlog drain on PostgreSQL", postgres.missing),
}
"""By side: its name, and what tells what it lacks on this machine (empty: nothing)."""
AIM = Target(at_least=20.0, text="aim: ≥ 20")
_RATES = (("per second", per_s), ("per CPU-second", per_cpu_s))


def beside_rows(rounds: Rounds, sides: Sequence[str]) -> list[Row]:
    """The rows of rounds over the drain that measured these sides and the aiohttp loop."""
    made = []
    for side in sides:
        if side == ON_POSTGRES:
            continue
        for rate, value in _RATES:
            made.append(
                row(
                    "7",
                    f"backlog drain ÷ {QUEUES[side][0]}, {rate}",
                    rounds.inverse_ratios(side, value),
                    target=AIM if side == "celery" else None,
                    control=rounds.control(value),
                )
            )
    if ON_POSTGRES in sides and "pgqueuer" in sides:
        for rate, value in _RATES:
            made.append(
                row(
                    "7",
                    f"{QUEUES[ON_POSTGRES][0]} ÷ {QUEUES['pgqueuer'][0]}, {rate}",
                    rounds.ratios_to(ON_POSTGRES, "pgqueuer", value),
                    control=rounds.control(value),
                )
            )
    rates: dict[str, float] = {
        f"{side}_{name}": round(rounds.median(side, value))
        for side in ("drain", *sides, "aiohttp")
        for name, value in (("per_s", per_s), ("per_cpu_s", per_cpu_s))
    }
    made.append(
        row(
            "7",
            "backlog drain ÷ plain aiohttp loop, per CPU-second",
            rounds.inverse_ratios("aiohttp", per_cpu_s),
            control=rounds.control(per_cpu_s),
            notes=rates,
        )
    )
    return made
