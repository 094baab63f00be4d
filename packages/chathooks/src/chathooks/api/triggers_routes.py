"""The catalog of triggers (delivery contract §6)."""

from functools import cache
from typing import Any

import msgspec

from chathooks.api.paging import PageMeta, PageQuery, page_meta
from chathooks.api.routing import Answer, Call, Route
from chathooks.delivery.webhooks import unknown_trigger
from chathooks_events import catalog
from chathooks_events.samples import sample_body

TAG = "Triggers"


class TriggerAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One kind of event."""

    name: str
    category: str
    description: str
    schema: dict[str, Any]
    """JSON Schema 2020-12 of the whole delivered body."""
    sample: dict[str, Any]
    """A delivered body."""
    dedupe_key: list[str]
    """Dotted paths into the body that tell two events apart where there is no `eventId`."""


@cache
def trigger_answer(name: str) -> TriggerAnswer:
    """A trigger as the API shows it. Raises ERR_TRIGGER_NOT_FOUND."""
    trigger = catalog.TRIGGERS.get(name)
    if trigger is None:
        raise unknown_trigger(name)
    return TriggerAnswer(
        name=trigger.name,
        category=trigger.category,
        description=trigger.description,
        schema=catalog.schema(name),
        sample=msgspec.json.decode(sample_body(name)),
        dedupe_key=list(trigger.dedupe_key),
    )


class TriggerRoutes:
    """Handlers of the catalog."""

    def routes(self) -> list[Route]:
        """The catalog's calls."""
        return [
            Route(
                method="GET",
                path="/triggers",
                handler=self.page,
                summary="List all triggers",
                tag=TAG,
                answer=list[TriggerAnswer],
                meta=PageMeta,
                query=PageQuery,
            ),
            Route(
                method="GET",
                path="/triggers/{name}",
                handler=self.get,
                summary="Get a trigger with its schema and a sample",
                tag=TAG,
                answer=TriggerAnswer,
                errors=("ERR_TRIGGER_NOT_FOUND",),
            ),
        ]

    async def page(self, call: Call) -> Answer:
        """Triggers in the order of the catalog."""
        query: PageQuery = call.query
        names = list(catalog.TRIGGERS)
        page = names[query.offset : query.offset + query.per_page]
        return Answer(
            [trigger_answer(name) for name in page],
            page_meta(query, total=len(names), count=len(page), updated_at=None),
        )

    async def get(self, call: Call) -> Answer:
        """One trigger."""
        return Answer(trigger_answer(call.path["name"]))
