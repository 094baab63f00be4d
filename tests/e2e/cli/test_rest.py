"""The client of the commands says one clear thing, whatever the other side sends."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chathooks.cli import rest
from chathooks.cli.failures import CommandFailed
from chathooks.cli.rest import Answer, Connection, Rest
from support.certificates import Authority
from support.endpoints.server import Behaviour, EndpointServer, free_port
from support.endpoints.server import Connection as Accepted

KEY = "k" * 40
BYTES_MAX = 4096


@pytest.fixture
def endpoints() -> Iterator[EndpointServer]:
    with EndpointServer() as server:
        yield server


def sends(data: bytes) -> Behaviour:
    """Sends these bytes for a request and closes."""

    async def behave(connection: Accepted) -> None:
        if await connection.request() is not None:
            await connection.write(data)

    return behave


def answers(status: int, body: bytes, *headers: str, kind: str = "application/json") -> Behaviour:
    async def behave(connection: Accepted) -> None:
        while await connection.request() is not None:
            await connection.answer(status, body, (f"Content-Type: {kind}", *headers))

    return behave


def call(url: str, method: str = "GET", *, ca_file: Path | None = None) -> Answer:
    client = Rest(Connection(url=url, api_key=KEY, ca_file=ca_file), answer_bytes_max=BYTES_MAX)
    try:
        return client.call(method, "/users")
    finally:
        client.close()


def failure(url: str, method: str = "GET", *, ca_file: Path | None = None) -> CommandFailed:
    with pytest.raises(CommandFailed) as caught:
        call(url, method, ca_file=ca_file)
    assert KEY not in str(caught.value) + caught.value.advice
    return caught.value


def test_an_answer_keeps_its_bytes(endpoints: EndpointServer) -> None:
    endpoint = endpoints.listen(answers(200, b'{"data":[{"a":1.10},2],"meta":{"x":1}}'))
    answer = call(endpoint.url())
    assert answer.data == b'[{"a":1.10},2]'
    assert [bytes(item) for item in answer.items()] == [b'{"a":1.10}', b"2"]
    assert answer.meta == {"x": 1}
    (request,) = endpoint.requests
    assert request.path == "/v3/users"
    assert request.headers["apikey"] == KEY
    assert "appid" not in request.headers


def test_a_call_names_app_user_query_and_body(endpoints: EndpointServer) -> None:
    endpoint = endpoints.listen(answers(200, b'{"data":null}'))
    client = Rest(Connection(url=endpoint.url("/below/"), api_key=KEY, app_id="app1"))
    query = {"tags": ["a b", "c"], "on": True, "n": 3}
    client.call("POST", "/x", query=query, body={"k": "é"}, on_behalf_of="bob")
    client.call("GET", "/y")
    client.close()
    first, second = endpoint.requests
    assert first.path == "/below/v3/x?tags=a+b%2Cc&on=true&n=3"
    assert (first.headers["appid"], first.headers["onbehalfof"]) == ("app1", "bob")
    assert (first.headers["content-type"], first.body) == ("application/json", b'{"k":"\xc3\xa9"}')
    assert second.body == b""
    assert first.connection == second.connection


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (502, b"<html>Bad gateway</html>", "text/html; charset=utf-8", "HTTP 502 with text/html"),
        (200, b"<html>Welcome</html>", "text/html", "HTTP 200 with text/html"),
        (200, b'{"data":', "application/json", "HTTP 200"),
        (200, b"[1]", "application/json", "HTTP 200"),
        (200, b"{}", "application/json", "HTTP 200"),
        (200, b'{"data":1,"meta":7}', "application/json", "HTTP 200"),
        (200, b'{"data":"\xff"}', "application/json", "HTTP 200"),
        (200, b'{"data":' + b"[" * 2000 + b"]" * 2000 + b"}", "application/json", ""),
        (204, b"", "", "no content type"),
        (500, b'{"error":"no"}', "application/json", "HTTP 500"),
        (500, b'{"data":[]}', "application/json", "HTTP 500"),
    ],
)
def test_what_is_not_of_the_documented_shape_is_refused(
    endpoints: EndpointServer, status: int, body: bytes, kind: str, said: str
) -> None:
    url = endpoints.listen(answers(status, body, kind=kind)).url()
    with pytest.raises(CommandFailed) as caught:
        call(url).items()
    assert (caught.value.code, caught.value.exit_code) == ("ERR_ANSWER", 1)
    assert said in caught.value.message
    assert "--url" in caught.value.advice


def test_a_change_that_a_gateway_answered_may_have_been_made(endpoints: EndpointServer) -> None:
    url = endpoints.listen(answers(502, b"no", kind="text/plain")).url()
    assert "is not known" in failure(url, "POST").message
    assert "is not known" not in failure(url, "GET").message


def test_a_refusal_keeps_code_message_and_details(endpoints: EndpointServer) -> None:
    body = b'{"error":{"code":"ERR_UID_NOT_FOUND","message":"No.","details":{"uid":"is unknown"}}}'
    error = failure(endpoints.listen(answers(404, body)).url())
    assert (error.code, error.message, error.exit_code) == ("ERR_UID_NOT_FOUND", "No.", 1)
    assert error.details == {"uid": "is unknown"}
    assert "chathooks users list" in error.advice


def test_a_redirect_is_not_followed(endpoints: EndpointServer) -> None:
    elsewhere = endpoints.listen(answers(200, b'{"data":1}'))
    url = endpoints.listen(answers(307, b"", f"Location: {elsewhere.url()}")).url()
    assert "leads elsewhere" in failure(url).message
    assert elsewhere.requests == []


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_without_end_is_cut_off(endpoints: EndpointServer, chunked: bool) -> None:
    closed = threading.Event()

    async def flood(connection: Accepted) -> None:
        await connection.request()
        length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 99999999999"
        await connection.write(f"HTTP/1.1 200 X\r\n{length}\r\n\r\n".encode())
        piece = b"x" * 1000
        try:
            while True:
                await connection.write(b"3e8\r\n" + piece + b"\r\n" if chunked else piece)
        finally:
            closed.set()

    error = failure(endpoints.listen(flood).url())
    assert (error.code, error.exit_code) == ("ERR_ANSWER", 1)
    assert "larger than 4096 bytes" in error.message
    assert closed.wait(10)


def test_a_compressed_answer_is_not_blown_up(endpoints: EndpointServer) -> None:
    url = endpoints.listen(answers(200, b"\x1f\x8b\x08", "Content-Encoding: gzip")).url()
    assert failure(url).code == "ERR_ANSWER"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"\x16\x03\x01 this is not HTTP\r\n\r\n",
    ],
    ids=["nothing", "half-a-body", "half-a-chunk", "no-http"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_breaks_off_is_told_with_its_consequence(
    endpoints: EndpointServer, data: bytes, method: str
) -> None:
    url = endpoints.listen(sends(data)).url()
    error = failure(url, method)
    assert (error.code, error.exit_code) == ("ERR_UNREACHABLE", 3)
    assert url.rstrip("/") in error.message
    assert ("Whether the call was carried out is not known." in error.message) is (method == "POST")


def test_a_reset_is_told(endpoints: EndpointServer) -> None:
    async def reset(connection: Accepted) -> None:
        await connection.request()
        connection.reset()

    assert "connection reset" in failure(endpoints.listen(reset).url()).message


def test_nobody_there_is_told_with_the_url_and_how_to_start() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    error = failure(url, "POST")
    assert (error.code, error.exit_code) == ("ERR_UNREACHABLE", 3)
    assert error.message == f"The server at {url} cannot be reached: connection refused."
    assert "`chathooks serve`" in error.advice


@pytest.mark.parametrize("limit", ["READ_TIMEOUT_S", "ANSWER_TIMEOUT_S"])
def test_silence_and_dribbling_end_in_time(
    endpoints: EndpointServer, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    async def dribble(connection: Accepted) -> None:
        await connection.request()
        await connection.write(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{")
        if limit == "ANSWER_TIMEOUT_S":
            await connection.write(b" ")
        await connection.until_closed()

    monkeypatch.setattr(rest, limit, 0.2 if limit == "READ_TIMEOUT_S" else 0.0)
    error = failure(endpoints.listen(dribble).url())
    assert error.exit_code == 3
    assert "it took too long" in error.message


def test_https_needs_a_certificate_that_is_trusted(
    endpoints: EndpointServer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    body = b'{"data":1}'
    good = endpoints.listen(answers(200, body), tls=authority.context("127.0.0.1")).url()
    other_name = endpoints.listen(answers(200, body), tls=authority.context("other.test")).url()
    assert call(good, ca_file=authority.ca_file).data == b"1"
    for url, ca_file in ((good, None), (other_name, authority.ca_file)):
        error = failure(url, "POST", ca_file=ca_file)
        assert (error.code, error.exit_code) == ("ERR_UNREACHABLE", 3)
        assert "--ca-file" in error.advice
        assert "is not known" not in error.message


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://127.0.0.1",
        "http://",
        "http://user:pass@127.0.0.1",
        "http://127.0.0.1/?a=b",
        "http://127.0.0.1/#a",
        "http://[::1",
        "",
    ],
)
def test_a_url_that_is_no_servers_is_refused(url: str) -> None:
    error = failure(url)
    assert (error.code, error.exit_code) == ("ERR_URL", 2)


@pytest.mark.parametrize("key", ["", "abc\r\nx: y", "é", " ahem", "\x00"])
def test_a_key_that_cannot_be_a_header_is_refused_and_not_printed(key: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        Rest(Connection(url="http://127.0.0.1", api_key=key))
    assert (caught.value.code, caught.value.exit_code) == ("ERR_HEADER", 2)
    assert not key or key not in str(caught.value)


def test_a_ca_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    for name in ("text.pem", "missing.pem"):
        error = failure("https://127.0.0.1", ca_file=tmp_path / name)
        assert (error.code, error.exit_code) == ("ERR_CA_FILE", 2)


def test_the_key_is_not_in_the_text_of_a_connection() -> None:
    assert KEY not in repr(Connection(url="http://127.0.0.1", api_key=KEY))
