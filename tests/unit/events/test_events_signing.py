"""Signatures are those of Standard Webhooks, and no input makes their check raise something undocumented."""

import base64
import math
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from chathooks_events import errors
from chathooks_events.signing import (
    SigningKey,
    basic_authorization,
    generate_secret,
    signature_header,
    verify,
    verify_basic,
)

NOW_S = 1_767_225_600
MUTATIONS = 100_000
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
BODY = '{"trigger":"message_sent","data":{"text":"grüß"}}'.encode()
ID = "evt_019b76da-a800-7b6c-9d3e-52c7a8e1f004"
HEADER = SigningKey.parse(SECRET).sign(ID, NOW_S, BODY)


def check(
    secrets: object = (SECRET,),
    message_id: object = ID,
    timestamp: object = str(NOW_S),
    header: object = HEADER,
    body: object = BODY,
    now_s: float = NOW_S,
) -> None:
    verify(
        secrets,  # type: ignore[arg-type]  # garbage is passed on purpose
        message_id=message_id,  # type: ignore[arg-type]  # likewise
        timestamp=timestamp,  # type: ignore[arg-type]  # likewise
        signature_header=header,  # type: ignore[arg-type]  # likewise
        body=body,  # type: ignore[arg-type]  # likewise
        now_s=now_s,
    )


def test_a_new_secret_is_whsec_and_32_random_bytes() -> None:
    secret = generate_secret(lambda count: bytes(count))
    assert secret == "whsec_" + base64.b64encode(bytes(32)).decode()
    assert SigningKey.parse(secret) == SigningKey(bytes(32))


def test_a_key_shows_its_bytes_in_no_representation() -> None:
    key = SigningKey.parse(SECRET)
    assert repr(key) == str(key) == "SigningKey()"


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_!!!",
        "whsec_" + "A" * 28,
        "whsec_" + "A" * 88,
        "whsec_ä",
        b"\xff",
        7,
        None,
    ],
)
def test_a_bad_secret_is_refused_without_being_quoted(secret: object) -> None:
    with pytest.raises(errors.InvalidSecret) as caught:
        SigningKey.parse(secret)  # type: ignore[arg-type]  # garbage is passed on purpose
    assert caught.value.code == "ERR_SIGNATURE_SECRET_INVALID"
    assert "A" * 28 not in caught.value.message


def test_secrets_of_24_and_of_64_bytes_are_accepted() -> None:
    for count in (24, 64):
        assert len(SigningKey.parse(base64.b64encode(bytes(count)).decode()).key) == count


keys = st.binary(min_size=24, max_size=64)
ids = st.text("abcxyz_-.0189", min_size=1)


@given(keys, ids, st.text())
def test_the_public_library_accepts_our_signatures(key: bytes, message_id: str, text: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    now_s = int(datetime.now(UTC).timestamp())
    live = [SigningKey.parse(OTHER), SigningKey.parse(secret)]
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": signature_header(live, message_id, now_s, text.encode()),
    }
    Webhook(secret).verify(text, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(text + "!", headers, json_parse=False)


@given(keys, ids, st.text(), st.integers(1_000_000_000, 9_999_999_999))
def test_we_accept_the_signatures_of_the_public_library(
    key: bytes, message_id: str, text: str, at_s: int
) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    header = Webhook(secret).sign(message_id, datetime.fromtimestamp(at_s, UTC), text)
    check([secret], message_id, str(at_s), header, text, now_s=at_s)
    with pytest.raises(errors.SignatureMismatch):
        check([secret], message_id, str(at_s), header, text + "!", now_s=at_s)


def test_during_a_rotation_either_secret_is_enough() -> None:
    both = signature_header([SigningKey.parse(SECRET), SigningKey.parse(OTHER)], ID, NOW_S, BODY)
    assert len(both.split(" ")) == 2
    for secrets in ([SECRET], [OTHER], [OTHER, SECRET]):
        check(secrets, header=both)
    assert signature_header([SigningKey.parse(SECRET)], ID, NOW_S, BODY) == HEADER


def test_headers_may_be_text_or_bytes_and_secrets_may_be_parsed() -> None:
    check([SigningKey.parse(SECRET)], ID.encode(), str(NOW_S).encode(), HEADER.encode())


def test_signatures_of_other_versions_are_passed_over() -> None:
    check(header=f"v1a,AAAA {HEADER} v2,BBBB")


REFUSED = {
    "another secret": ({"secrets": [OTHER]}, "ERR_SIGNATURE_MISMATCH"),
    "no secret": ({"secrets": []}, "ERR_SIGNATURE_MISMATCH"),
    "a broken secret": ({"secrets": ["whsec_"]}, "ERR_SIGNATURE_SECRET_INVALID"),
    "another body": ({"body": BODY + b" "}, "ERR_SIGNATURE_MISMATCH"),
    "a body of no known type": ({"body": None}, "ERR_SIGNATURE_HEADER_MALFORMED"),
    "another id": ({"message_id": "evt_2"}, "ERR_SIGNATURE_MISMATCH"),
    "another timestamp": ({"timestamp": str(NOW_S + 1)}, "ERR_SIGNATURE_MISMATCH"),
    "no id": ({"message_id": None}, "ERR_SIGNATURE_HEADER_MISSING"),
    "no timestamp": ({"timestamp": ""}, "ERR_SIGNATURE_HEADER_MISSING"),
    "no signature": ({"header": None}, "ERR_SIGNATURE_HEADER_MISSING"),
    "a timestamp in words": ({"timestamp": "today"}, "ERR_SIGNATURE_HEADER_MALFORMED"),
    "a negative timestamp": ({"timestamp": f"-{NOW_S}"}, "ERR_SIGNATURE_HEADER_MALFORMED"),
    "a fraction": ({"timestamp": f"{NOW_S}.5"}, "ERR_SIGNATURE_HEADER_MALFORMED"),
    "a line break": ({"timestamp": f"{NOW_S}\n"}, "ERR_SIGNATURE_HEADER_MALFORMED"),
    "other digits": ({"timestamp": "١٧٦٧٢٢٥٦٠٠"}, "ERR_SIGNATURE_HEADER_MALFORMED"),
    "endless digits": ({"timestamp": "1" * 9_999}, "ERR_SIGNATURE_HEADER_MALFORMED"),
    "a foreign scheme": ({"header": "v2,AAAA"}, "ERR_SIGNATURE_HEADER_MALFORMED"),
    "an endless header": ({"header": f"{HEADER} " * 100}, "ERR_SIGNATURE_HEADER_MALFORMED"),
    "an empty signature": ({"header": "v1,"}, "ERR_SIGNATURE_MISMATCH"),
    "a signature that is no base64": ({"header": "v1,ä\ud800"}, "ERR_SIGNATURE_MISMATCH"),
    "a replay": ({"now_s": NOW_S + 300.5}, "ERR_SIGNATURE_TIMESTAMP"),
    "the future": ({"now_s": NOW_S - 300.5}, "ERR_SIGNATURE_TIMESTAMP"),
    "a clock that does not know": ({"now_s": math.nan}, "ERR_SIGNATURE_TIMESTAMP"),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_what_is_not_signed_as_it_should_be_is_refused_with_a_code(what: str) -> None:
    changes, code = REFUSED[what]
    with pytest.raises(errors.SignatureError) as caught:
        check(**changes)  # type: ignore[arg-type]  # garbage is passed on purpose
    assert caught.value.code == code
    assert caught.value.message.endswith(".")


def test_a_clock_300_seconds_off_is_tolerated() -> None:
    for now_s in (NOW_S - 300, NOW_S + 300):
        check(now_s=now_s)


def test_every_error_has_its_own_code() -> None:
    classes = [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, errors.EventsError)
    ]
    assert len({item.code for item in classes}) == len(classes) == 10
    assert all(item.code.startswith("ERR_") for item in classes)


def mutate(source: random.Random, value: str) -> str | bytes | None:
    if source.random() < 0.02:
        return None
    text = list(value)
    for _ in range(source.randrange(3)):
        at = source.randrange(len(text) + 1)
        text[at : at + source.randrange(3)] = chr(
            source.choice((0, 10, 32, 44, 61, 118, 255, 0xD800))
        )
    changed = "".join(text)[: source.choice((None, None, 5))]
    return changed.encode("utf-8", "surrogatepass") if source.random() < 0.3 else changed


def test_no_mutation_of_a_signed_request_raises_anything_undocumented() -> None:
    source = random.Random(20260101)
    accepted = 0
    for _ in range(MUTATIONS):
        secret, message_id, timestamp, header, body = (
            mutate(source, item) for item in (SECRET, ID, str(NOW_S), HEADER, BODY.decode())
        )
        try:
            check([secret], message_id, timestamp, header, body)
        except errors.SignatureError:
            continue
        accepted += 1
    assert 0 < accepted < MUTATIONS // 10


@given(*[st.none() | st.text() | st.binary()] * 5, st.floats())
@settings(max_examples=1_000)
def test_no_garbage_raises_anything_undocumented(
    secret: object,
    message_id: object,
    timestamp: object,
    header: object,
    body: object,
    now_s: float,
) -> None:
    with pytest.raises(errors.SignatureError):
        check([secret, SECRET], message_id, timestamp, header, body, now_s)


@given(st.text("abc é!", min_size=1), st.text())
def test_basic_credentials_are_accepted_as_they_were_encoded(username: str, password: str) -> None:
    header = basic_authorization(username, password)
    accepted = [("someone", "else"), (username, password)]
    assert verify_basic(header, accepted)
    assert verify_basic(header.encode().replace(b"Basic", b" bAsIc "), accepted)
    assert not verify_basic(header, [(username, password + "x"), (username + "x", password)])
    assert not verify_basic(header, [])


def test_basic_credentials_are_those_of_rfc_7617() -> None:
    assert basic_authorization("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !",
        "Bearer YTpi",
        "YTpi",
        "Basic YTpi YTpi",
        "Basic YQ==",
        b"\xff",
        7,
    ],
)
def test_other_authorization_headers_are_not_accepted(header: object) -> None:
    assert not verify_basic(header, [("a", "b")])  # type: ignore[arg-type]  # garbage on purpose


@given(st.none() | st.text() | st.binary(), st.lists(st.tuples(st.text(), st.text())))
def test_no_authorization_header_makes_the_check_raise(
    header: str | bytes | None, accepted: list[tuple[str, str]]
) -> None:
    assert not verify_basic(header, [*accepted, ("\ud800", "a password that is not guessed")])
