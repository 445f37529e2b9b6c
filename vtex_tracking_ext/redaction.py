"""Credentials out of text that others wrote: a server may echo them, and an HTTP library quote them. Pure."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What stands where a credential stood.
HIDDEN: Final = "[credential]"

#: Shorter texts are no secrets, and would be found everywhere.
SHORTEST_SECRET: Final = 4


class Redactor:
    """Finds some credentials, as they are or escaped as JSON, URLs and HTML escape, in either case.

    Args:
        secrets: The credentials.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._plain = tuple(secret.lower() for secret in known)
        self._pattern = re.compile("|".join("".join(map(_any_form, secret)) for secret in known), re.IGNORECASE)

    def text(self, text: str) -> str:
        """Return ``text`` with :data:`HIDDEN` in the place of each credential."""
        if not self._plain:
            return text
        if not any(mark in text for mark in "%\\&"):  # nothing is escaped: much the quicker way
            folded = text.lower()
            if not any(secret in folded for secret in self._plain):
                return text
        return self._pattern.sub(HIDDEN, text)

    def data(self, data: bytes) -> bytes:
        """Return ``data``, which is text in any encoding that ASCII is a part of, without the credentials."""
        return self.text(data.decode("latin-1")).encode("latin-1")

    def __repr__(self) -> str:
        return f"Redactor({len(self._plain)} credentials)"


def _any_form(character: str) -> str:
    """Return a pattern for an ASCII character, escaped or not; JSON within JSON escapes it more than once."""
    code = ord(character)
    forms = [rf"\\*{re.escape(character)}", f"%{code:02x}", rf"\\+u{code:04x}", f"&#0*{code};", f"&#x0*{code:x};"]
    if html.escape(character) != character:
        forms.append(re.escape(html.escape(character)))
    return f"(?:{'|'.join(forms)})"
