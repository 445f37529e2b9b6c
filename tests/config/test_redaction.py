"""Credentials out of text, in whatever way a server writes them."""

from __future__ import annotations

import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.config.redaction import HIDDEN, Redactor
from vtex_tracking_ext.text import quoted

SECRET = "Se+cr/et&To<k>e\"n'%\\#=9"

ESCAPES = {
    "as it is": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON of .NET": lambda text: "".join(
        rf"\u{ord(c):04X}" if c in "+&<>\"'" else c for c in text.replace("\\", "\\\\")
    ),
    "JSON, slash escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON, all escaped": lambda text: "".join(rf"\u{ord(c):04x}" for c in text),
    "URL": lambda text: quote(text, safe=""),
    "URL, slash kept": quote,
    "URL, form": quote_plus,
    "HTML": html.escape,
    "HTML, decimal": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(c):X};" for c in text),
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
def test_a_credential_is_found_however_it_is_escaped(escape: object) -> None:
    """The text around it stays."""
    assert callable(escape)
    redactor = Redactor([SECRET])
    text = f"before {escape(SECRET)} & after 100%"
    assert redactor.redact(text) == f"before {HIDDEN} & after 100%"
    assert redactor.redact_bytes(text.encode()) == f"before {HIDDEN} & after 100%".encode()


def test_the_longest_goes_first() -> None:
    """So that a short one leaves no rest of a long one that holds it."""
    assert Redactor(["ABCD", "ABCDE"]).redact("ABCDE ABCD") == f"{HIDDEN} {HIDDEN}"


def test_what_is_too_short_is_no_secret() -> None:
    """It would be found in every receipt."""
    redactor = Redactor(["abc"])
    assert redactor.redact("abc%") == "abc%"


@given(st.text())
def test_other_text_stays_as_it_is(text: str) -> None:
    """With no credential, and with one that is not in it."""
    assert Redactor().redact(text) == text
    assert Redactor(["NOTINTHERE" * 3]).redact(text) == text


@given(st.binary())
def test_other_bytes_stay_as_they_are(data: bytes) -> None:
    """Whatever their encoding."""
    assert Redactor(["NOTINTHERE" * 3]).redact_bytes(data) == data


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4), st.text(), st.text())
def test_no_credential_is_left(secret: str, before: str, after: str) -> None:
    """Any that a header can carry, in any text; its mark may hold one, so that it is left out."""
    found = Redactor([secret]).redact(before + secret + after)
    assert secret.lower() not in found.replace(HIDDEN, "\n").lower()


HOSTILE = {
    "backslashes": "\\" * 2_000_000,
    "backslashes and letters": ("\\" * 4000 + "S") * 1000,
    "zeros": ("&#" + "0" * 4000) * 1000,
    "zeros in hexadecimal": "&#x" + "0" * 2_000_000,
    "escaped backslashes": "%5C" * 500_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_costs_no_more_than_another(text: str) -> None:
    """One that read each run again from each of its places took half a minute for 32 kB."""
    started = time.process_time()
    assert Redactor([SECRET, "vtexappkey-mystore-MADEUP"]).redact(text) == text
    assert time.process_time() - started < 20


def test_backslashes_alone_are_found() -> None:
    """They are what the rest of a credential is looked for without."""
    assert Redactor(["\\" * 4]).redact("a" + "\\" * 4 + "b%5c" + "%5C&#92;&#x05c;") == f"a{HIDDEN}b{HIDDEN}"


@pytest.mark.parametrize("length", [4, 5, 24, 29, 30, 31])
def test_the_beginning_of_a_credential_is_found_where_a_message_was_cut(length: int) -> None:
    """A token is longer than what a message quotes."""
    secret = "MADEUP" * 5
    text = f"account {quoted('x' + secret + 'yy', 1 + length)} is none; {quoted('x' * 9, 5)}"
    hidden = f"account 'x{HIDDEN}{'y' * (length == 31)}... (33 characters)' is none; 'xxxxx... (9 characters)'"
    assert Redactor([secret]).redact_message(text) == hidden


def test_its_repr_tells_nothing() -> None:
    """It stands in the frames of errors."""
    assert repr(Redactor([SECRET])) == "Redactor(1 credentials)"
