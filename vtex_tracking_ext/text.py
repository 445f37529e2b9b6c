"""What a person, a log or a terminal may see of text that others wrote. Pure."""

from __future__ import annotations

from typing import TypeVar, overload

T = TypeVar("T")

#: Characters of somebody else's text that one message quotes.
QUOTE_LENGTH = 300

#: What stands where a text was cut, before its length.
CUT = "... ("


@overload
def plain(value: str) -> str: ...


@overload
def plain(value: T) -> T: ...


def plain(value: object) -> object:
    """Return any text as a plain ``str``, and every other value as it is.

    A subclass of ``str`` (an enum's member, say) may print as another text than it holds. What is checked must
    be what travels, so values are made plain where they are taken in.
    """
    return str.__str__(value) if isinstance(value, str) else value


def visible(text: str, limit: int = QUOTE_LENGTH) -> str:
    r"""Return ``text`` on one line, safe to print: cut to ``limit``, what does not print written as an escape.

    Control characters, terminal escapes, bidirectional marks, every separator but the plain space, lone
    surrogates and unassigned characters become ``\x1b``, ``\u202e`` and the like.
    """
    shown = text[:limit]
    if not shown.isprintable():
        shown = "".join(map(_shown, shown))
    return shown if len(text) <= limit else f"{shown}{CUT}{len(text)} characters)"


def quoted(text: object, limit: int = QUOTE_LENGTH) -> str:
    """Return a value between quotes, for messages that show what was given."""
    return f"'{visible(plain(text), limit)}'" if isinstance(text, str) else visible(_repr(text), limit)


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a message about a broken value must not break on it
        return f"a {type(value).__name__}"


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
