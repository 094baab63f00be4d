"""The same endpoint in every framework, on a real server: the same answers to the same requests."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from chathooks_events.samples import sample_body
from chathooks_receiver.adapters.bridge import BlockingReceiver
from chathooks_receiver.dedupe.memory import MemoryDedupe
from chathooks_receiver.intake import Arrival
from chathooks_receiver.receiver import AsyncReceiver
from chathooks_receiver.sinks.memory import MemorySink
from chathooks_receiver.testing import (
    TEST_CREDENTIALS,
    TEST_SECRET,
    FakeSender,
    SignedRequest,
    signed_request,
)
from support.web_servers import FRAMEWORKS, PATH

BODY_BYTES_MAX = 40_000
ANSWER_TIMEOUT_S = 30.0


class GatedSink(MemorySink):
    """A sink that takes events only while its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.broken = False

    async def put(self, arrival: Arrival) -> bool:
        self.entered.set()
        await asyncio.to_thread(self.gate.wait, ANSWER_TIMEOUT_S)
        if self.broken:
            raise OSError("no route to the broker")
        return await super().put(arrival)


class Endpoint(NamedTuple):
    port: int
    sink: GatedSink


@pytest.fixture(params=list(FRAMEWORKS))
def endpoint(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    sink = GatedSink()

    def make() -> AsyncReceiver:
        return AsyncReceiver(
            sink=sink,
            dedupe=MemoryDedupe(),
            secrets=[TEST_SECRET],
            credentials=[TEST_CREDENTIALS],
            body_bytes_max=BODY_BYTES_MAX,
            budget_s=ANSWER_TIMEOUT_S,  # what takes long on a busy machine is not what is tested
        )

    with FRAMEWORKS[request.param](make) as port:
        yield Endpoint(port, sink)


class Answer(NamedTuple):
    status: int
    content: dict[str, object]
    headers: dict[str, str]


def send(port: int, request: SignedRequest, method: str = "POST", chunked: bool = False) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request(
            method,
            PATH,
            body=iter([request.body]) if chunked else request.body,
            headers=request.headers,
            encode_chunked=chunked,
        )
        answer = connection.getresponse()
        text = answer.read()
        content = json.loads(text) if text else {}
        return Answer(answer.status, content, {k.lower(): v for k, v in answer.getheaders()})
    finally:
        connection.close()


def code_of(answer: Answer) -> object:
    error = answer.content["error"]
    assert isinstance(error, dict)
    return error["code"]


def test_every_framework_gives_the_same_answers(
    endpoint: Endpoint, chathooks_sender: FakeSender
) -> None:
    port = endpoint.port
    request = chathooks_sender.request("message_sent")
    first = send(port, request)
    assert (first.status, first.content) == (200, {"status": "accepted"})
    assert first.headers["content-type"] == "application/json"
    again = send(port, request)
    assert (again.status, again.content) == (200, {"status": "duplicate"})

    forged = SignedRequest(
        method="POST",
        headers={**request.headers, "Authorization": "Basic b3RoZXI6b25l"},
        body=request.body,
        event_id=None,
    )
    refused = send(port, forged)
    assert (refused.status, code_of(refused)) == (401, "ERR_CREDENTIALS")
    assert "Basic" in refused.headers["www-authenticate"]

    tampered = SignedRequest(
        method="POST", headers=request.headers, body=request.body + b" ", event_id=None
    )
    assert code_of(send(port, tampered)) == "ERR_SIGNATURE_MISMATCH"
    other_method = send(port, request, method="PUT")
    assert (other_method.status, code_of(other_method)) == (405, "ERR_METHOD_NOT_ALLOWED")
    assert other_method.headers["allow"] == "POST"
    typed = SignedRequest(
        method="POST",
        headers={**request.headers, "Content-Type": "text/plain"},
        body=request.body,
        event_id=None,
    )
    assert send(port, typed).status == 415
    assert len(endpoint.sink.arrivals) == 1


def test_the_body_is_verified_and_kept_as_it_came(endpoint: Endpoint) -> None:
    body = b" \n" + sample_body("message_sent").replace(b":", b" : ", 1) + b"\n"
    keyed = signed_request("message_sent", event_id="evt_1")
    from chathooks_events.signing import SigningKey

    at_s = int(keyed.headers["webhook-timestamp"])
    headers = {
        **keyed.headers,
        "webhook-signature": SigningKey.parse(TEST_SECRET).sign("evt_1", at_s, body),
    }
    request = SignedRequest(method="POST", headers=headers, body=body, event_id="evt_1")
    assert send(endpoint.port, request).status == 200
    assert endpoint.sink.arrivals[0].body == body


def test_bad_json_is_told_as_such(endpoint: Endpoint) -> None:
    from chathooks_events.signing import SigningKey

    keyed = signed_request("message_sent", event_id="evt_1")
    at_s = int(keyed.headers["webhook-timestamp"])
    body = b'{"trigger": "message_sent", "data": NaN}'
    signature = SigningKey.parse(TEST_SECRET).sign("evt_1", at_s, body)
    request = SignedRequest(
        method="POST",
        headers={**keyed.headers, "webhook-signature": signature},
        body=body,
        event_id="evt_1",
    )
    answer = send(endpoint.port, request)
    assert (answer.status, code_of(answer)) == (400, "ERR_MALFORMED_BODY")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_however_it_is_framed(
    endpoint: Endpoint, chunked: bool
) -> None:
    base = signed_request("message_sent")
    request = SignedRequest(
        method="POST",
        headers=dict(base.headers),
        body=b"x" * (BODY_BYTES_MAX + 1),
        event_id=None,
    )
    if chunked:
        request.headers["Transfer-Encoding"] = "chunked"
    answer = send(endpoint.port, request, chunked=chunked)
    if chunked and takes_no_chunks(endpoint.port):
        # wsgiref does not end chunked bodies: such a one is taken for empty, and its signature does not fit.
        assert (answer.status, code_of(answer)) == (401, "ERR_SIGNATURE_MISMATCH")
        return
    assert (answer.status, code_of(answer)) == (413, "ERR_BODY_TOO_LARGE")
    assert not endpoint.sink.arrivals


def takes_no_chunks(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
    connection.request("GET", PATH)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.getheader("Server", "").startswith("WSGIServer")


def test_the_same_event_many_times_at_once_is_handed_over_once(
    endpoint: Endpoint, chathooks_sender: FakeSender
) -> None:
    request = chathooks_sender.request("message_sent")
    endpoint.sink.gate.clear()
    with ThreadPoolExecutor(8) as threads:
        coming = [threads.submit(send, endpoint.port, request) for _ in range(8)]
        assert endpoint.sink.entered.wait(ANSWER_TIMEOUT_S)
        assert not any(future.done() for future in coming)
        endpoint.sink.gate.set()
        answers = [future.result(ANSWER_TIMEOUT_S) for future in coming]
    assert [answer.status for answer in answers] == [200] * 8
    assert sorted(str(answer.content["status"]) for answer in answers) == [
        "accepted",
        *["duplicate"] * 7,
    ]
    assert len(endpoint.sink.arrivals) == 1


def test_an_event_that_the_sink_did_not_take_comes_again_and_is_taken(
    endpoint: Endpoint, chathooks_sender: FakeSender
) -> None:
    request = chathooks_sender.request("message_sent")
    endpoint.sink.broken = True
    assert send(endpoint.port, request).status == 500
    endpoint.sink.broken = False
    assert send(endpoint.port, request).content == {"status": "accepted"}


def test_a_sender_that_goes_away_in_the_middle_of_its_body_harms_nobody(
    endpoint: Endpoint, chathooks_sender: FakeSender
) -> None:
    request = chathooks_sender.request("message_sent")
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection(("127.0.0.1", endpoint.port)) as connection:
        start = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(request.body)}\r\n"
        connection.sendall((start + head + "\r\n").encode() + request.body[:50])
    assert send(endpoint.port, request).content == {"status": "accepted"}
    assert len(endpoint.sink.arrivals) == 1


def test_a_closed_bridge_answers_503() -> None:
    receiver = BlockingReceiver(lambda: AsyncReceiver(sink=MemorySink(), dedupe=MemoryDedupe()))
    request = signed_request("message_sent")
    assert receiver.handle("POST", request.headers, request.body).status == 200
    receiver.close()
    receiver.close()
    assert receiver.handle("POST", request.headers, request.body).status == 503


def test_a_bridge_whose_sink_cannot_open_says_why() -> None:
    class Closed(MemorySink):
        async def open(self) -> None:
            raise OSError("no broker")

    with pytest.raises(OSError, match="no broker"):
        BlockingReceiver(lambda: AsyncReceiver(sink=Closed(), dedupe=MemoryDedupe()))
