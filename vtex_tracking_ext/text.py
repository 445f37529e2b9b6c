"""Make text from other sources safe to print in messages, logs and terminals."""

from __future__ import annotations

from typing import Final, TypeVar, overload

T = TypeVar("T")

#: Characters that a message quotes of one value.
MAX_QUOTED: Final = 300

#: Characters that a message quotes of an error's message, or of another reason.
REASON_LENGTH: Final = 600

#: Ends a truncated text, followed by its full length.
TRUNCATED: Final = "... ("


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
