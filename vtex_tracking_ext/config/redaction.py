"""Remove credentials from responses, messages and logs: a server may echo them, and an HTTP library quote them."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from vtex_tracking_ext.text import TRUNCATED

from .secret import hidden_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Replaces each credential.
HIDDEN: Final = "[credential]"

#: Shorter values are not redacted: they would match everywhere, and protect nothing.
MIN_SECRET_LENGTH: Final = 4

_BACKSLASH: Final = "\\"

#: Characters that HTML escapes by name. Importing Python's html module, with thousands of names, takes milliseconds.
_HTML_NAMES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


class Redactor:
    """Removes credentials from text, in either case, also where JSON, URLs or HTML have escaped them.

    Args:
        secrets: The credentials.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: Callable[[], Iterator[str]] = ().__iter__
        # Replaces credentials in any form. Compiled when first used: it takes milliseconds, and few texts need it. A
        # cached_property would hold a lock, before Python 3.12, which a process that is forked meanwhile could never
        # acquire.
        self._substitute: Callable[[str, str], str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Add credentials to remove. Call it before the first text is redacted."""
        known = {secret for secret in (*self._secrets(), *secrets) if len(secret) >= MIN_SECRET_LENGTH}
        ordered = sorted(known, key=len, reverse=True)  # a longer one may contain a shorter one
        self._count = len(ordered)
        # Bound methods, whose reprs do not show the credentials; iterating creates no frame.
        self._secrets = tuple(ordered).__iter__
        self._folded = tuple(map(str.lower, ordered)).__iter__

    def redact(self, text: str) -> str:
        """Return ``text`` with each credential replaced by :data:`HIDDEN`."""
        if not self._count:
            return text
        if not ("%" in text or "&" in text or _BACKSLASH in text):
            folded = text.lower()  # nothing is escaped: a plain search is enough, and faster
            if not any(map(folded.__contains__, self._folded())):
                return text
        if self._substitute is None:
            with hidden_frames():
                self._substitute = re.compile("|".join(map(_secret_pattern, self._secrets())), re.IGNORECASE).sub
        return self._substitute(HIDDEN, text)

    def redact_message(self, text: str) -> str:
        """Return one of this package's messages without credentials, nor the start of one that a quotation cut off."""
        if TRUNCATED not in text:
            return self.redact(text)
        with hidden_frames():
            *cut, rest = text.split(TRUNCATED)
            return self.redact(TRUNCATED.join([*map(self._redact_end, cut), rest]))

    def _redact_end(self, text: str) -> str:
        """Return ``text``; if it ends with the start of a credential, with that replaced by :data:`HIDDEN`."""
        folded = text.lower()
        lengths = [
            length
            for secret in self._folded()
            for length in range(MIN_SECRET_LENGTH, len(secret) + 1)
            if folded.endswith(secret[:length])
        ]
        return text[: -max(lengths)] + HIDDEN if lengths else text

    def redact_bytes(self, data: bytes) -> bytes:
        """Return text in any encoding that extends ASCII, without credentials."""
        text = data.decode("latin-1")
        redacted = self.redact(text)
        return data if redacted == text else redacted.encode("latin-1")

    def redact_headers(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return headers without credentials, in names or in values."""
        unredacted = tuple(headers)
        joined = "\n".join([text for pair in unredacted for text in pair])
        if self.redact(joined) == joined:  # one search instead of one for each text
            return unredacted
        return tuple((self.redact(name), self.redact(value)) for name, value in unredacted)

    def __repr__(self) -> str:
        return f"Redactor({self._count} credentials)"


def _secret_pattern(secret: str) -> str:
    """Return a pattern that matches an ASCII text with each character escaped or not, also more than once.

    JSON within JSON puts any number of backslashes before a character, so backslashes are skipped, those of the text
    itself included. The quantifiers are possessive (``*+``): with backtracking, a long run of backslashes in a hostile
    response would take hours.
    """
    escapes = rf"(?:\\(?:u005c)?|{_numeric_escapes(_BACKSLASH)})" if _BACKSLASH in secret else r"\\"
    bare = secret.replace(_BACKSLASH, "")
    if not bare:
        return f"{escapes}{{{len(secret)},}}+"
    rest = "".join(rf"{escapes}*+(?:(?<=\\)u{ord(each):04x}|{_character_pattern(each)})" for each in bare[1:])
    return rf"(?:\\u{ord(bare[0]):04x}|{_character_pattern(bare[0])}){rest}"


def _character_pattern(character: str) -> str:
    """Return the alternatives for a character, except those with a backslash."""
    forms = [re.escape(character), _numeric_escapes(character)]
    if character in _HTML_NAMES:
        forms.append(_HTML_NAMES[character])
    return "|".join(forms)


def _numeric_escapes(character: str) -> str:
    """Return the alternatives for a character that URL and HTML escapes write as a number."""
    code = ord(character)
    return f"%{code:02x}|&#0*+{code};|&#x0*+{code:x};"


#: Loggers of the HTTP libraries. At DEBUG they log response headers, in which a server may echo a credential.
_HTTP_LOGGERS: Final = (
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "httpx",
)

#: The redactors of all clients and settings that are still in use.
_redactors: Final[WeakSet[Redactor]] = WeakSet()


def redact_known(text: str) -> str:
    """Return a message without the credentials of all clients in use; a row may contain one by mistake."""
    for redactor in list(_redactors):
        text = redactor.redact_message(text)
    return text


def _redact_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact_known(record.getMessage()), None
    return True  # keeps the record


def redact_http_logs(redactor: Redactor) -> None:
    """Apply a redactor to the logs of HTTP libraries, and in :func:`redact_known`, as long as it exists."""
    _redactors.add(redactor)
    for name in _HTTP_LOGGERS:
        logging.getLogger(name).addFilter(_redact_record)  # a logger ignores a filter that it already has
