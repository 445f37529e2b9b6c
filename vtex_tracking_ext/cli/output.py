"""What commands print. It never raises: an output that fails cannot change what became of a call.

A disk that is full, a reader that has gone (``| head``), a stream that was closed (``>&-``): whether an update
was applied is known by then, and the exit status must say so.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def prepare() -> None:
    """Make both outputs fit to be written to, whatever they are.

    A stream that the caller closed becomes one that leads nowhere, so that no file or connection opened later
    gets its descriptor. One that cannot show an accent shows an escape.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it is sys's
            setattr(sys, name, stream)
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):  # what it already holds cannot be written; what follows will tell
                stream.reconfigure(errors="backslashreplace")


def say(text: str) -> bool:
    """Print lines on standard output, at once.

    Returns:
        False where they were lost, that is could not be written whole. A reader that has gone has read enough.
    """
    return _write(sys.stdout, f"{text}\n")


def warn(text: str) -> bool:
    """Print lines on standard error, at once; returns as :func:`say` does."""
    return _write(sys.stderr, f"{text}\n")


def say_json(kind: str, document: Mapping[str, Any]) -> bool:
    """Print a line of JSON for machines on standard output; returns as :func:`say` does."""
    return say(json.dumps({"type": kind, **document}))


def pour(texts: Iterable[str], stream: TextIO | None = None) -> bool:
    """Write a file's contents as they come, UTF-8 with the ends of lines that they bring.

    Args:
        texts: The contents. What making them raises is raised.
        stream: Where to; otherwise standard output, whose encoding is made to fit.

    Returns:
        As :func:`say` does; where a reader has gone, the rest of the texts is not asked for.
    """
    if stream is None:
        stream = sys.stdout
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):  # what it already holds cannot be written; what follows will tell
                stream.reconfigure(encoding="utf-8", newline="")
    for text in texts:
        try:
            stream.write(text)
        except BrokenPipeError:
            _divert(stream)
            return True
        except (OSError, ValueError):
            _divert(stream)
            return False
    return _write(stream, "")


def finish() -> None:
    """Write what others left unwritten, so that Python finds nothing at its end that could fail."""
    for stream in (sys.stdout, sys.stderr):
        _write(stream, "")


def _write(stream: TextIO, text: str) -> bool:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _divert(stream)
    except (OSError, ValueError):  # ValueError: it is closed
        _divert(stream)
        return False
    return True


def _divert(stream: TextIO) -> None:
    """Let a stream that failed lead nowhere: what it still holds would fail again when Python ends."""
    with suppress(OSError, ValueError):  # no descriptor: nothing of it is left for Python's end
        descriptor = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
