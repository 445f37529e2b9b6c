"""Removal of credentials from text, in all forms in which a server may write them."""

from __future__ import annotations

import html
import json
import logging
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.config.redaction import HIDDEN, Redactor, redact_http_logs
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
def test_an_escaped_credential_is_redacted(escape: object) -> None:
    """A credential is redacted in every escaped form, and the text around it is kept."""
    assert callable(escape)
    redactor = Redactor([SECRET])
    text = f"before {escape(SECRET)} & after 100%"
    assert redactor.redact(text) == f"before {HIDDEN} & after 100%"
    assert redactor.redact_bytes(text.encode()) == f"before {HIDDEN} & after 100%".encode()


def test_the_longest_credential_is_redacted_first() -> None:
    """A credential that contains another one is redacted in full."""
    assert Redactor(["ABCD", "ABCDE"]).redact("ABCDE ABCD") == f"{HIDDEN} {HIDDEN}"


def test_a_short_value_is_not_redacted() -> None:
    """A value below the minimum length is not redacted, because it would match in every receipt."""
    redactor = Redactor(["abc"])
    assert redactor.redact("abc%") == "abc%"


@given(st.text())
def test_other_text_is_unchanged(text: str) -> None:
    """Text without a credential is unchanged, and so is any text if there are no credentials."""
    assert Redactor().redact(text) == text
    assert Redactor(["NOTINTHERE" * 3]).redact(text) == text


@given(st.binary())
def test_other_bytes_are_unchanged(data: bytes) -> None:
    """Bytes without a credential are unchanged in any encoding."""
    assert Redactor(["NOTINTHERE" * 3]).redact_bytes(data) == data


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4), st.text(), st.text())
def test_any_credential_is_redacted_in_any_text(secret: str, before: str, after: str) -> None:
    """Any credential that a header can carry is redacted in any text; only the replacement may contain it."""
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
def test_a_hostile_text_is_searched_in_linear_time(text: str) -> None:
    """Texts of escapes only, made to cause backtracking, are searched in seconds."""
    started = time.process_time()
    assert Redactor([SECRET, "vtexappkey-mystore-MADEUP"]).redact(text) == text
    assert time.process_time() - started < 20


def test_a_credential_of_backslashes_is_redacted() -> None:
    """A credential that consists of backslashes is redacted in every form."""
    assert Redactor(["\\" * 4]).redact("a" + "\\" * 4 + "b%5c" + "%5C&#92;&#x05c;") == f"a{HIDDEN}b{HIDDEN}"


@pytest.mark.parametrize("length", [4, 5, 24, 29, 30, 31])
def test_the_start_of_a_credential_is_redacted_in_a_truncated_message(length: int) -> None:
    """The start of a credential is redacted where a message truncated it."""
    secret = "MADEUP" * 5
    text = f"account {quoted('x' + secret + 'yy', 1 + length)} is none; {quoted('x' * 9, 5)}"
    hidden = f"account 'x{HIDDEN}{'y' * (length == 31)}... (33 characters)' is none; 'xxxxx... (9 characters)'"
    assert Redactor([secret]).redact_message(text) == hidden


def test_the_repr_of_a_redactor_shows_no_credential() -> None:
    """The repr of a redactor, which may appear in tracebacks, shows only the number of credentials."""
    assert repr(Redactor([SECRET])) == "Redactor(1 credentials)"


def test_credentials_are_redacted_in_the_logs_of_httpx(caplog: pytest.LogCaptureFixture) -> None:
    """A credential in a log record of httpx is redacted while its redactor exists, and only then."""
    redactor = Redactor(["MADEUPTOKEN"])
    redact_http_logs(redactor)
    redact_http_logs(Redactor(["other"]))
    with caplog.at_level(logging.DEBUG, "httpx"):
        logging.getLogger("httpx").debug("header %s of %d", "MADEUPTOKEN", 2)
        del redactor
        logging.getLogger("httpx").debug("header %s", "MADEUPTOKEN")
    assert caplog.messages == [f"header {HIDDEN} of 2", "header MADEUPTOKEN"]
