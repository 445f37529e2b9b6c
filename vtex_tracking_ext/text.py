"""Compare and trim texts from other sources, and make them safe to print in messages, logs and terminals."""

from __future__ import annotations

import unicodedata
from typing import Final, TypeVar, overload

T = TypeVar("T")

#: Characters that a message quotes of one value.
MAX_QUOTED: Final = 300

#: Characters that a message quotes of an error's message, or of another reason.
REASON_LENGTH: Final = 600

#: Ends a truncated text, followed by its full length.
TRUNCATED: Final = "... ("

#: Blanks without width, which :meth:`str.strip` and :meth:`str.split` do not know; texts from web pages contain them.
_ZERO_WIDTH: Final = "\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"

#: All characters for which :meth:`str.isspace` is true, such as the no-break space, and those without width.
_BLANKS: Final = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028"
    f"\u2029\u202f\u205f\u3000{_ZERO_WIDTH}"
)

_ZERO_WIDTH_TO_SPACE: Final = str.maketrans(dict.fromkeys(_ZERO_WIDTH, " "))


@overload
def plain(value: str) -> str: ...


@overload
def plain(value: T) -> T: ...


def plain(value: object) -> object:
    """Return any string as a plain ``str``, and any other value unchanged.

    A member of an ``Enum`` that is a ``str`` may be formatted as another text than it is compared as. Values are
    converted on arrival, so that what is checked is what is sent.
    """
    return str.__str__(value) if isinstance(value, str) else value


def trimmed(text: str) -> str:
    """Return a text without blanks at its ends, including no-break and zero-width ones."""
    return text.strip(_BLANKS)


def comparable(text: str) -> str:
    """Return a text as it is compared: trimmed, with composed accents, and with one space for each run of blanks.

    A shopper sees no difference, and exports of the same events differ in all of these.
    """
    if not text.isascii():  # most texts need less
        text = unicodedata.normalize("NFC", text)
        if not text.isprintable():
            text = text.translate(_ZERO_WIDTH_TO_SPACE)
    return " ".join(text.split())


def visible(text: str, limit: int = MAX_QUOTED) -> str:
    r"""Return ``text`` on one printable line, truncated to ``limit`` characters.

    Control characters, terminal escapes, bidirectional marks, all separators but the space, lone surrogates and
    unassigned characters are escaped, for example as ``\x1b`` or ``\u202e``.
    """
    shown = text[:limit]
    if not shown.isprintable():
        shown = "".join(map(_escape, shown))
    return shown if len(text) <= limit else f"{shown}{TRUNCATED}{len(text)} characters)"


def quoted(value: object, limit: int = MAX_QUOTED) -> str:
    """Return a value for a message: a string between quotes, another value as its repr; see :func:`visible`."""
    return f"'{visible(plain(value), limit)}'" if isinstance(value, str) else visible(_repr(value), limit)


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a value with a broken repr must not break the error message about it
        return f"a {type(value).__name__}"


def _escape(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
