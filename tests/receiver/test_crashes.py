"""kill -9 of the receiver and of its broker at random: whatever was answered 200 is in the sink.

Senders go on all the while, as senders do: an attempt that fails is made again, now and then the same event is sent twice at
once, and some events are sent again after they were accepted.
"""

import asyncio
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.testing import FakeSender, SignedRequest
from support import services, sink_readers
from support.receiver_service import ServiceProcess
from support.services import Service

SENDERS = 6
ROUNDS = 3
BROKER_KILLS = 2
UP_S = (0.4, 1.0)
"""For how long everything runs between two kills, at least and at most."""
RETRY_S = 0.1
BROKERS = ("redis", "nats", "rabbitmq")


class Senders:
    """Threads that deliver new events until they are stopped; they remember what was answered 200."""

    def __init__(self, receiver: ServiceProcess, seed: int) -> None:
        self._receiver = receiver
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.accepted: set[str] = set()
        self.answers: Counter[int] = Counter()
        self._threads = [
            threading.Thread(target=self._run, args=(seed * 100 + n,), daemon=True)
            for n in range(SENDERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _run(self, seed: int) -> None:
        rng = random.Random(seed)
        sender = FakeSender(seed=seed)
        while not self._stop.is_set():
            request = sender.request("message_sent")
            twin = None
            if rng.random() < 0.2:  # the same event twice at once
                twin = threading.Thread(target=self._deliver, args=(request,), daemon=True)
                twin.start()
            self._deliver(request)
            if rng.random() < 0.1:  # and once more, although it was accepted
                self._deliver(request)
            if twin is not None:
                twin.join(30)

    def _deliver(self, request: SignedRequest) -> None:
        while not self._stop.is_set():
            try:
                status, _ = self._receiver.post(request)
            except (OSError, ValueError, http.client.HTTPException):
                status = 0  # the receiver was killed in the middle
            with self._lock:
                self.answers[status] += 1
                if status == 200:
                    assert request.event_id is not None
                    self.accepted.add(request.event_id)
                    return
            time.sleep(RETRY_S)  # a sender's pause, not a wait for anything


def campaign(receiver: ServiceProcess, broker: Service | None, seed: int) -> Senders:
    rng = random.Random(seed)
    kills = 0
    receiver.start_supervised()
    senders = Senders(receiver, seed)
    senders.start()
    try:
        for _ in range(ROUNDS):
            time.sleep(rng.uniform(*UP_S))  # the moment of the crash is the test's input
            if broker is not None and kills < BROKER_KILLS:
                kills += 1
                broker.kill()
                time.sleep(rng.uniform(0.0, 0.3))
                broker.start()
                time.sleep(rng.uniform(*UP_S))
            receiver.kill()
            receiver.start_supervised()
        before = len(senders.accepted)
        services.wait_until(lambda: len(senders.accepted) > before + 20, "it goes on", 30)
    finally:
        senders.stop()
    assert receiver.stop() == 0
    assert senders.answers[200] > 20
    return senders


def compare(
    senders: Senders, stored: list[str], record_property: Callable[[str, object], None]
) -> None:
    """Nothing is missing; what stands twice is counted."""
    counts = Counter(stored)
    assert senders.accepted - set(counts) == set()
    record_property("accepted", len(senders.accepted))
    record_property("copies", sum(count - 1 for count in counts.values()))


def ids(found: list[sink_readers.Stored]) -> list[str]:
    return [json.loads(item.body)["eventId"] for item in found]


@pytest.mark.timeout(180)
def test_the_inbox_has_every_event_that_was_answered_200_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    receiver = ServiceProcess(tmp_path, '[sink]\nkind = "sqlite"\npath = "inbox.sqlite3"\n')
    senders = campaign(receiver, None, seed=1)

    async def stored() -> list[str]:
        inbox = SqliteInbox(tmp_path / "inbox.sqlite3")
        await inbox.open()
        keys = [key for key, *_ in inbox.stored(1_000_000)]
        await inbox.close()
        return keys

    keys = asyncio.run(stored())
    compare(senders, keys, record_property)
    assert len(keys) == len(set(keys))


@pytest.mark.timeout(180)
def test_the_spool_hands_over_every_event_that_was_answered_200(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    rest = (
        '[sink]\nkind = "jsonlines"\npath = "events.jsonl"\n[spool]\npath = "spool.sqlite3"\n'
        '[dedupe]\nkind = "sqlite"\npath = "seen.sqlite3"\n'
    )
    receiver = ServiceProcess(tmp_path, rest)
    senders = campaign(receiver, None, seed=2)
    receiver.start_supervised()  # what still waits in the spool follows

    def all_there() -> bool:
        return "chathooks_receiver_spool_events 0.0" in receiver.get("/metrics")[1]

    services.wait_until(all_there, "the spool is empty", 30)
    assert receiver.stop() == 0
    found = asyncio.run(sink_readers.read_jsonlines(tmp_path / "events.jsonl", 0))
    compare(senders, ids(found), record_property)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", BROKERS)
def test_the_broker_has_every_event_that_was_answered_200(
    kind: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    make: Callable[[Path], Service] = getattr(services, f"{kind}_service")
    folder = tmp_path / kind
    folder.mkdir()
    with services.running(make(folder)) as broker:
        port = broker.port
        places = {
            "redis": f'url = "redis://127.0.0.1:{port}"\nstream = "events"',
            "nats": f'servers = ["nats://127.0.0.1:{port}"]\nstream = "events"',
            "rabbitmq": f'url = "amqp://guest:guest@127.0.0.1:{port}/"\nqueue = "events"',
        }
        rest = (
            f'[sink]\nkind = "{kind}"\n{places[kind]}\n'
            '[dedupe]\nkind = "sqlite"\npath = "seen.sqlite3"\n'
        )
        receiver = ServiceProcess(tmp_path, rest)
        if kind == "rabbitmq":
            # A new quorum queue's name is on disk minutes later only; an orderly restart writes it.
            receiver.start_supervised()
            receiver.stop()
            broker.stop()
            broker.start()
        senders = campaign(receiver, broker, seed=3)
        read = getattr(sink_readers, f"read_{kind}")
        found = asyncio.run(read(port, "events", len(senders.accepted)))
    compare(senders, ids(found), record_property)
