"""Did every event arrive? What must have been fired, what the log says and what endpoints accepted, compared. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from chathooks.demo.client import Delivery
from chathooks.demo.endpoint import Acceptance


def missing(
    expected: Mapping[str, Mapping[str, int]],
    logged: Iterable[Delivery],
    accepted: Iterable[Acceptance],
) -> list[str]:
    """What is missing, one plain sentence each; nothing when every event arrived at every subscribed endpoint.

    Args:
        expected: by webhook id, how many events of each trigger it must get.
        logged: the deliveries of the server's log.
        accepted: what the endpoints answered with 200.

    Numbers start at 1 and leave no gap (delivery contract §1).
    """
    log_of: defaultdict[str, dict[int, Delivery]] = defaultdict(dict)
    for delivery in logged:
        log_of[delivery.webhook][delivery.number] = delivery
    accepted_of: defaultdict[str, list[Acceptance]] = defaultdict(list)
    for acceptance in accepted:
        accepted_of[acceptance.webhook].append(acceptance)
    return [
        sentence
        for webhook, triggers in expected.items()
        for sentence in _missing_at(webhook, triggers, log_of[webhook], accepted_of[webhook])
    ]


def _missing_at(
    webhook: str,
    triggers: Mapping[str, int],
    logged: Mapping[int, Delivery],
    accepted: Sequence[Acceptance],
) -> Iterator[str]:
    counts = Counter(delivery.trigger for delivery in logged.values())
    for trigger, count in triggers.items():
        if counts[trigger] < count:
            yield f"{webhook}: {counts[trigger]} of {count} {trigger} events are in the log"
    for number in range(1, max(logged, default=0) + 1):
        if number not in logged:
            yield f"{webhook} #{number}: is not in the log"
    arrived = {item.number: (item.event_id, item.trigger) for item in accepted if item.number}
    for number, delivery in sorted(logged.items()):
        called = f"{webhook} #{number} {delivery.trigger}"
        if delivery.state != "delivered":
            last = delivery.attempts[-1].explanation if delivery.attempts else "no attempt was made"
            yield f"{called}: is {delivery.state}: {last}"
        elif number not in arrived:
            yield f"{called}: the log says delivered, but the endpoint never accepted it"
        elif arrived[number] != (delivery.event_id, delivery.trigger):
            yield f"{called}: the endpoint accepted {' '.join(arrived[number])} in its place"
    for number in sorted(arrived.keys() - logged.keys()):
        yield f"{webhook} #{number}: the endpoint accepted it, but it is not in the log"
