"""Credentials out of text that others wrote: a server may echo them, and an HTTP library quote them. Pure."""

from __future__ import annotations

import logging
import re
from functools import cached_property
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from vtex_tracking_ext.text import CUT

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What stands where a credential stood.
HIDDEN: Final = "[credential]"

#: Shorter texts are no secrets, and would be found everywhere.
SHORTEST_SECRET: Final = 4

_BACKSLASH: Final = "\\"

#: What HTML writes by name. Python's module for it comes with thousands of names, which take milliseconds to import.
_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


class Redactor:
    """Finds some credentials, as they are or escaped as JSON, URLs and HTML escape, in either case.

    Args:
        secrets: The credentials.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._plain = tuple(secret.lower() for secret in self._known)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Return what finds them in any form; compiling it takes milliseconds, and most texts need no such look."""
        return re.compile("|".join(map(_any_form, self._known)), re.IGNORECASE)

    def text(self, text: str) -> str:
        """Return ``text`` with :data:`HIDDEN` in the place of each credential."""
        if not self._plain:
            return text
        if not ("%" in text or "&" in text or _BACKSLASH in text):  # nothing is escaped: much the quicker way
            folded = text.lower()
            if not any(secret in folded for secret in self._plain):
                return text
        return self._pattern.sub(HIDDEN, text)

    def message(self, text: str) -> str:
        """Return a message of ours without them, also where it quotes only the beginning of one and says so."""
        *beginnings, rest = text.split(CUT)
        return self.text(CUT.join([*map(self._without_end, beginnings), rest]))

    def _without_end(self, text: str) -> str:
        """Return ``text`` with :data:`HIDDEN` in the place of the beginning of a credential at its end."""
        folded = text.lower()
        lengths = [
            length
            for secret in self._plain
            for length in range(SHORTEST_SECRET, len(secret) + 1)
            if folded.endswith(secret[:length])
        ]
        return text[: -max(lengths)] + HIDDEN if lengths else text

    def data(self, data: bytes) -> bytes:
        """Return ``data``, which is text in any encoding that ASCII is a part of, without the credentials."""
        text = data.decode("latin-1")
        clean = self.text(text)
        return data if clean == text else clean.encode("latin-1")

    def pairs(self, pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return pairs of texts, such as headers, without the credentials."""
        kept = tuple(pairs)
        together = "\n".join([text for pair in kept for text in pair])
        if self.text(together) == together:  # one look instead of one a text; what is in one of them is in all of them
            return kept
        return tuple((self.text(name), self.text(value)) for name, value in kept)

    def __repr__(self) -> str:
        return f"Redactor({len(self._plain)} credentials)"


def _any_form(secret: str) -> str:
    """Return a pattern for a text of ASCII characters, each escaped or not; JSON within JSON escapes more than once.

    Backslashes may stand before any character but the first, so they are passed over, those of the text itself
    included. A run of them is read once for each time that the text begins before it, and never gone back over
    (``*+``): read again from each of its places, a long one would cost hours.
    """
    escapes = rf"(?:\\(?:u005c)?|{_coded(_BACKSLASH)})" if _BACKSLASH in secret else r"\\"
    bare = secret.replace(_BACKSLASH, "")
    if not bare:
        return f"{escapes}{{{len(secret)},}}+"
    rest = "".join(rf"{escapes}*+(?:(?<=\\)u{ord(each):04x}|{_one_form(each)})" for each in bare[1:])
    return rf"(?:\\u{ord(bare[0]):04x}|{_one_form(bare[0])}){rest}"


def _one_form(character: str) -> str:
    """Return the alternatives for a character, those with a backslash apart."""
    forms = [re.escape(character), _coded(character)]
    if character in _NAMED:
        forms.append(_NAMED[character])
    return "|".join(forms)


def _coded(character: str) -> str:
    """Return the alternatives for a character that URLs and HTML write as a number."""
    code = ord(character)
    return f"%{code:02x}|&#0*+{code};|&#x0*+{code:x};"


#: Loggers of the HTTP libraries, which write the headers of answers at DEBUG. A server may echo a credential there.
_OTHERS: Final = (
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "httpx",
)


class _CredentialFilter(logging.Filter):
    """Takes the credentials of every living client out of a record."""

    def __init__(self) -> None:
        super().__init__()
        self.redactors: WeakSet[Redactor] = WeakSet()

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a record; none is dropped."""
        text = record.getMessage()
        for redactor in list(self.redactors):
            text = redactor.text(text)
        record.msg, record.args = text, None
        return True


_FILTER: Final = _CredentialFilter()


def redact_http_logs(redactor: Redactor) -> None:
    """Keep a client's credentials out of the logs of the HTTP libraries, while the client lives."""
    _FILTER.redactors.add(redactor)
    for name in _OTHERS:
        logging.getLogger(name).addFilter(_FILTER)  # adding it again does nothing
