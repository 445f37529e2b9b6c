"""Which posts are genuine. Each signature is computed here, independently of the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from vtex_tracking_ext.carriers.registry import SOURCES
from vtex_tracking_ext.config.secret import Secret
from vtex_tracking_ext.config.webhooks import WebhookCheck
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.service.verification import VTEX_HOOK, check_webhooks, is_genuine

from support.leaks import Interrupter, forms, interrupted, leaks

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "TOPSECRETTOPSECRET"
OLD = "OLDSECRETOLDSECRET"
OTHER = "OTHERSECRETOTHERSECRET"
BODY = b'{"tracking_code": "EZ1", "city": "S\xc3\xa3o Paulo"}'

CHECK = WebhookCheck((Secret(SECRET),))
ROTATION = WebhookCheck((Secret(SECRET), Secret(OLD)))


def digest(secret: str, message: bytes) -> bytes:
    """Return the HMAC of a message."""
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()


def encoded(data: bytes | str) -> str:
    """Return base64."""
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def shippo(secret: str, body: bytes, time: str = "1700000000") -> str:
    """Return Shippo's signature."""
    return f"t={time},v1={digest(secret, f'{time}.'.encode() + body).hex()}"


#: Source -> the header of its signature, and the signature by secret and body.
SIGNED: dict[str, tuple[str, Callable[[str, bytes], str]]] = {
    "easypost": ("X-Hmac-Signature", lambda secret, body: f"hmac-sha256-hex={digest(secret, body).hex()}"),
    "melhor_envio": ("X-ME-Signature", lambda secret, body: encoded(digest(secret, body))),
    "aftership": ("aftership-hmac-sha256", lambda secret, body: encoded(digest(secret, body))),
    "shippo": ("Shippo-Auth-Signature", shippo),
    "track17": ("sign", lambda secret, body: hashlib.sha256(body + b"/" + secret.encode()).hexdigest()),
}
HEXADECIMAL = ("easypost", "shippo", "track17")
signed = pytest.mark.parametrize("source", SIGNED)

#: The sources whose secret may be in the path.
IN_PATH = [*sorted(set(SOURCES) - {"intelipost", "frenet", *SIGNED}), "shippo"]

#: The sources whose secret may be in a header.
IN_HEADER = [VTEX_HOOK, *sorted(set(SOURCES) - set(SIGNED))]


def raw_headers(*pairs: tuple[str, str | bytes]) -> Headers:
    """Return headers as Starlette has them: in lower case, with each repetition, and decoded as Latin-1."""
    return Headers(
        raw=[(name.lower().encode(), value if isinstance(value, bytes) else value.encode()) for name, value in pairs]
    )


def is_accepted(source: str, value: str | bytes, body: bytes = BODY, check: WebhookCheck = CHECK) -> bool:
    """Return whether a post with this value in the header of the source's signature is genuine."""
    return is_genuine(source, check, raw_headers(("Host", "a.example"), (SIGNED[source][0], value)), body)


@signed
@pytest.mark.parametrize("body", [BODY, b"", b"\x00\xff\r\n"])
def test_a_signed_body_is_genuine(source: str, body: bytes) -> None:
    """The raw body is signed, whatever its bytes are; each changed, missing or additional byte makes it another one."""
    signature = SIGNED[source][1](SECRET, body)
    assert is_accepted(source, signature, body)
    changed = [body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :] for place in range(len(body))]
    for other in (*changed, body[:-1] or b" ", body + b"\n", b"\n" + body):
        assert not is_accepted(source, signature, other)


@signed
def test_a_signature_with_another_secret_is_refused(source: str) -> None:
    """During a rotation, the new and the old secret are valid, in any order; a third one never is."""
    sign = SIGNED[source][1]
    reverse = WebhookCheck(ROTATION.secrets[::-1])
    for secret in (SECRET, OLD):
        assert is_accepted(source, sign(secret, BODY), check=ROTATION)
        assert is_accepted(source, sign(secret, BODY), check=reverse)
    for secret in (OTHER, SECRET.lower(), SECRET[:-1], f"{SECRET} ", ""):
        assert not is_accepted(source, sign(secret, BODY), check=ROTATION)
    assert not is_accepted(source, sign(OLD, BODY))


@signed
def test_a_changed_signature_is_refused(source: str) -> None:
    """Any other text than the signature is refused, also its start, a list that contains it, and non-ASCII bytes."""
    signature = SIGNED[source][1](SECRET, BODY)
    for value in (
        *(signature[:length] for length in range(len(signature))),
        *(signature[:place] + "~" + signature[place + 1 :] for place in range(len(signature))),
        f" {signature}",
        f"{signature} ",
        f"{signature}\n",
        f"{signature},{signature}",
        f"{signature}, {signature}",
        f'"{signature}"',
        f"{signature}=",
        "*",
        "null",
        "\u0661" * len(signature),
    ):
        assert not is_accepted(source, value), value
    for data in (signature.encode() + b"\xe9", b"\xff" * 64, signature.encode("utf-16"), b"\x00" + signature.encode()):
        assert not is_accepted(source, data)


@signed
def test_a_missing_or_repeated_signature_is_refused(source: str) -> None:
    """A signature that occurs twice is refused, also if both are right: another reader could use the other one."""
    name, sign = SIGNED[source]
    signature = (name, sign(SECRET, BODY))
    for pairs in (
        [],
        [signature, signature],
        [signature, (name, "x")],
        [(name, "x"), signature],
        [(f"X-{name}", signature[1])],
    ):
        assert not is_genuine(source, ROTATION, raw_headers(*pairs), BODY)
    assert is_genuine(source, CHECK, {name.upper(): signature[1]}, BODY), "a plain mapping, in another case"


@signed
def test_the_case_of_hexadecimal_digits_does_not_count(source: str) -> None:
    """Upper-case digits are the same signature, but upper-case base64 is another one."""
    signature = SIGNED[source][1](SECRET, BODY)
    upper = signature.replace(signature.rpartition("=")[2], signature.rpartition("=")[2].upper())
    upper = upper if source in HEXADECIMAL else signature.swapcase()
    assert upper != signature
    assert is_accepted(source, upper) is (source in HEXADECIMAL)


@signed
def test_the_secret_itself_is_no_signature(source: str) -> None:
    """The secret of a signed source proves nothing, in any place; only Shippo accepts it as the end of the path."""
    name = SIGNED[source][0]
    for header in (name, "X-Webhook-Secret", "Authorization"):
        for value in (SECRET, f"Basic {encoded(f'{SECRET}:')}", f"Bearer {SECRET}"):
            assert not is_genuine(source, CHECK, raw_headers((header, value)), BODY)
            assert not is_genuine(source, WebhookCheck(CHECK.secrets, header), raw_headers((header, value)), BODY)
    assert is_genuine(source, CHECK, Headers(), BODY, SECRET) is (source == "shippo")
    assert not is_genuine(source, CHECK, Headers(), BODY, SIGNED[source][1](SECRET, BODY))


def test_easypost_normalizes_the_secret() -> None:
    """A composed and a decomposed secret sign alike, in UTF-8 (NFKD, as EasyPost's client does)."""
    decomposed = SIGNED["easypost"][1]("senha-sa\u0303o-fi", BODY)
    for secret in ("senha-s\u00e3o-\ufb01", "senha-sa\u0303o-fi"):
        assert is_accepted("easypost", decomposed, check=WebhookCheck((Secret(secret),)))


def test_melhor_envio_signs_in_base64_or_in_hexadecimal_digits() -> None:
    """Both forms are accepted from Melhor Envio, but not from AfterShip, nor with the prefix of EasyPost."""
    signature = digest(SECRET, BODY)
    for value in (encoded(signature), signature.hex(), signature.hex().upper()):
        assert is_accepted("melhor_envio", value)
    for value in (
        encoded(signature).rstrip("="),
        base64.urlsafe_b64encode(digest(SECRET, b"6")).decode(),
        f"hmac-sha256-hex={signature.hex()}",
        encoded(signature.hex()),
    ):
        assert not is_accepted("melhor_envio", value)
    assert not is_accepted("aftership", signature.hex())


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        (shippo(SECRET, BODY), True),
        (shippo(SECRET, BODY).replace(",", ", "), True),
        (shippo(SECRET, BODY, "0"), True),
        (shippo(SECRET, BODY).replace("t=1", "t=2"), False),
        (shippo(SECRET, BODY).replace(",", ";"), False),
        (shippo(SECRET, BODY).replace(",", ",  "), False),
        (shippo(SECRET, BODY).replace("t=", "T="), False),
        (shippo(SECRET, BODY).partition(",")[2], False),
        (f"t=1,{shippo(SECRET, BODY)}", False),
        (f"{shippo(SECRET, BODY)},v1={'0' * 64}", False),
        (f"v1={digest(SECRET, BODY).hex()}", False),
        (f"t=,v1={digest(SECRET, b'.' + BODY).hex()}", False),
        (shippo(SECRET, BODY, "1" * 21), False),
        (shippo(SECRET, BODY, "-1"), False),
        (shippo(SECRET, BODY, "\u0661"), False),
    ],
)
def test_shippo_signs_the_time_and_the_body(value: str, accepted: bool) -> None:
    """The header has one time and one signature of the time, a dot and the body; nothing else is read from it."""
    assert is_accepted("shippo", value) is accepted


def test_a_body_cannot_pass_for_a_time() -> None:
    """A signed post cannot be split at another dot: the time has digits only, and the body is what was received."""
    time, body = "1", b"2.3"
    signature = digest(SECRET, b"1.2.3").hex()
    assert is_accepted("shippo", f"t={time},v1={signature}", body)
    assert not is_accepted("shippo", f"t=1.2,v1={signature}", b"3")


BASIC = [
    (f"Basic {encoded(f'{SECRET}:')}", True),
    (f"Basic {encoded(f'{SECRET}:any password')}", True),
    (f"Basic {encoded(f'{SECRET}:with:colons')}", True),
    (f"basic {encoded(f'{SECRET}:')}", True),
    (b"Basic " + base64.b64encode(SECRET.encode() + b":\xff\xfe"), True),
    (f"Basic {encoded(SECRET)}", False),
    (f"Basic {encoded(f':{SECRET}')}", False),
    (f"Basic {encoded(f'user:{SECRET}')}", False),
    (f"Basic {encoded(f'{OTHER}:')}", False),
    (f"Basic {encoded(f'{SECRET[:-1]}:')}", False),
    (f"Basic {encoded(f'{SECRET} :')}", False),
    (f"Basic {encoded(':')}", False),
    (f"Basic {encoded('')}", False),
    (b"Basic " + base64.b64encode(b"\xff\xfe:x"), False),
    (b"Basic \xff\xfe", False),
    ("Basic", False),
    ("Basic ", False),
    (f"Basic  {encoded(f'{SECRET}:')}", False),
    (f"Basic {encoded(f'{SECRET}:')} ", False),
    (f"Basic {encoded(f'{SECRET}:')}!", False),
    (f"Basic {encoded(f'{SECRET}:x')[:-1]}", False),
    (f"Basic {SECRET}:", False),
    (f"Bearer {encoded(f'{SECRET}:')}", False),
    (encoded(f"{SECRET}:"), False),
    (SECRET, False),
]


@pytest.mark.parametrize(("value", "accepted"), BASIC)
def test_intelipost_sends_its_key_as_the_user(value: str | bytes, accepted: bool) -> None:
    """The user is the key, and the password is ignored; malformed values are refused without an error."""
    headers = raw_headers(("Authorization", value))
    assert is_genuine("intelipost", CHECK, headers, BODY) is accepted
    assert not is_genuine("intelipost", WebhookCheck(CHECK.secrets, "api-key"), headers, BODY), "the header is used"


def test_intelipost_may_send_its_key_in_a_header() -> None:
    """With a configured header, such as that of Intelipost's module for Magento 1, the key is expected there."""
    headers = raw_headers(("api-key", SECRET))
    assert is_genuine("intelipost", WebhookCheck(CHECK.secrets, "API-Key"), headers, BODY)
    assert not is_genuine("intelipost", CHECK, headers, BODY)
    assert not is_genuine("intelipost", CHECK, Headers(), BODY, SECRET)


@pytest.mark.parametrize("source", IN_HEADER)
def test_a_secret_in_a_header(source: str) -> None:
    """The header has the secret itself, exactly once and in its case; the old one is valid during a rotation."""
    check = WebhookCheck(ROTATION.secrets, "X-Token")
    for secret in (SECRET, OLD):
        assert is_genuine(source, check, raw_headers(("x-token", secret)), b"")
        assert is_genuine(source, check, {"X-TOKEN": secret}, BODY)
    for value in (
        OTHER,
        "",
        " ",
        SECRET.lower(),
        SECRET[:-1],
        f"{SECRET}x",
        f"{SECRET} ",
        f"{SECRET}, {SECRET}",
        "\u0130",
    ):
        assert not is_genuine(source, check, raw_headers(("X-Token", value)), BODY)
    assert not is_genuine(source, check, raw_headers(("X-Token", b"\xe9" + SECRET.encode())), BODY)
    assert not is_genuine(source, check, raw_headers(("X-Token", SECRET), ("X-Token", SECRET)), BODY)
    assert not is_genuine(source, check, raw_headers(("X-Webhook-Secret", SECRET)), BODY), "not the configured one"
    assert not is_genuine(source, check, Headers(), BODY)


@pytest.mark.parametrize("source", sorted({*IN_HEADER} - {"intelipost"}))
def test_the_default_header(source: str) -> None:
    """Without a configured header, it is X-Webhook-Secret."""
    assert is_genuine(source, CHECK, raw_headers(("X-Webhook-Secret", SECRET)), BODY)
    assert not is_genuine(source, CHECK, raw_headers(("X-Token", SECRET)), BODY)


@pytest.mark.parametrize("source", [VTEX_HOOK, *SOURCES])
def test_a_secret_in_the_path(source: str) -> None:
    """Sources that document no check may have the secret in the path, and Shippo; it is not accepted from others."""
    expected = source in IN_PATH
    assert is_genuine(source, ROTATION, Headers(), BODY, SECRET) is expected
    assert is_genuine(source, ROTATION, raw_headers(("X-Webhook-Secret", "wrong")), BODY, OLD) is expected
    for path_secret in ("", " ", OTHER, SECRET.lower(), SECRET[:-1], f"{SECRET}/", f"/{SECRET}", "\ud800", "\u0661"):
        assert not is_genuine(source, ROTATION, Headers(), BODY, path_secret)


@given(
    value=st.text(max_size=100), data=st.binary(max_size=100), source=st.sampled_from([VTEX_HOOK, *SOURCES, "other"])
)
def test_no_other_value_is_genuine(value: str, data: bytes, source: str) -> None:
    """A post with any other text or bytes in each header and in the path is refused, without an error."""
    names = {"X-Webhook-Secret", "Authorization", *(name for name, _ in SIGNED.values())}
    assert not is_genuine(source, ROTATION, raw_headers(*((name, data) for name in names)), data, value)
    assert not is_genuine(source, ROTATION, dict.fromkeys(names, value), data, value)
    assert not is_genuine(source, ROTATION, raw_headers(("Authorization", b"Basic " + base64.b64encode(data))), data)


def test_an_unknown_source_is_refused() -> None:
    """A name that is not that of a source is never verified."""
    for source in ("", "EasyPost", "other"):
        assert not is_genuine(source, CHECK, raw_headers(("X-Webhook-Secret", SECRET)), BODY, SECRET)


@pytest.mark.parametrize("source", [VTEX_HOOK, *SOURCES])
def test_usable_webhooks_pass(source: str) -> None:
    """Each source can be configured, and those with a header also with its name."""
    check_webhooks({source: ROTATION})
    if source not in SIGNED:
        check_webhooks({source: WebhookCheck((Secret("Bearer TOPSECRETTOP"),), "Authorization")})
    else:
        check_webhooks({source: WebhookCheck((Secret("sh\u00f6rtish"),))})


@pytest.mark.parametrize(
    ("source", "check", "said"),
    [
        ("EasyPost", CHECK, "webhooks.EasyPost: 'EasyPost' is not a source: use vtex, ocoren, correios,"),
        ("x\x1b", CHECK, r"webhooks.x\\x1b: 'x\\x1b' is not a source"),
        (
            "easypost",
            WebhookCheck(CHECK.secrets, "X-Token"),
            "webhooks.easypost: easypost signs its posts, in a header",
        ),
        ("vtex", WebhookCheck((Secret(SECRET), Secret(SECRET[:15]))), "webhooks.vtex: a secret has fewer than 16"),
        ("correios", WebhookCheck((Secret(f"{SECRET}\u00e9"),)), "webhooks.correios: a secret .* not ASCII"),
        ("intelipost", WebhookCheck((Secret(SECRET[:15]),)), "webhooks.intelipost: a secret has fewer than 16"),
    ],
)
def test_unusable_webhooks_are_refused(source: str, check: WebhookCheck, said: str) -> None:
    """The message names the source and how to fix it; neither it nor a frame shows a secret."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        check_webhooks({"dhl": CHECK, source: check})
    assert leaks(caught.value, forms(SECRET, SECRET[:15])) == []


@pytest.mark.parametrize("source", [*SIGNED, "intelipost", "frenet", "correios"])
def test_an_interrupt_shows_no_secret(source: str) -> None:
    """An interrupt at any line shows neither a configured secret nor a posted one, once the block has begun."""
    posted = "POSTEDSECRETPOSTEDSECRET"
    headers = raw_headers(("Authorization", f"Basic {encoded(f'{posted}:')}"), ("X-Webhook-Secret", posted))

    def call(interrupter: Interrupter) -> None:
        with interrupter:
            is_genuine(source, ROTATION, headers, BODY, posted)

    errors = list(interrupted(call, first=3))
    assert len(errors) > 10
    assert [leak for error in errors for leak in leaks(error, forms(SECRET, OLD, posted))] == []
