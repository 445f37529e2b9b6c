"""What a person, a log or a terminal may see of text that others wrote. Pure."""

from __future__ import annotations

#: Characters of somebody else's text that one message quotes.
QUOTE_LENGTH = 300


def visible(text: str, limit: int = QUOTE_LENGTH) -> str:
    r"""Return ``text`` on one line, safe to print: cut to ``limit``, what does not print written as an escape.

    Control characters, terminal escapes, bidirectional marks, every separator but the plain space, lone
    surrogates and unassigned characters become ``\x1b``, ``\u202e`` and the like.
    """
    shown = "".join(_shown(character) for character in text[:limit])
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"


def quoted(text: object, limit: int = QUOTE_LENGTH) -> str:
    """Return a value between quotes, for messages that show what was given."""
    return f"'{visible(text, limit)}'" if isinstance(text, str) else visible(repr(text), limit)


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
