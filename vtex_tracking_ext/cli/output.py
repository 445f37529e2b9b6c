"""Standard output and standard error. Printing never raises, because the exit status must still say what happened.

The disk may be full, the reader may have ended (``| head``), or the stream may be closed (``>&-``), when an update was
already applied.
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
    """Make both outputs writable.

    A closed stream is replaced by the null device, so that no file or connection opened later gets its descriptor.
    Characters that the encoding lacks are printed as escapes.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it is sys's
            setattr(sys, name, stream)
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):  # its buffer cannot be written; the next write reports that
                stream.reconfigure(errors="backslashreplace")


def say(text: str) -> bool:
    """Print lines on standard output and flush it.

    Returns:
        False if they could not be written completely. A reader that has ended needs no more lines: True.
    """
    return _write(sys.stdout, f"{_redacted(text)}\n")


def warn(text: str) -> bool:
    """Print lines on standard error and flush it; returns as :func:`say` does."""
    return _write(sys.stderr, f"{_redacted(text)}\n")


def say_json(kind: str, document: Mapping[str, Any]) -> bool:
    """Print a JSON line on standard output; returns as :func:`say` does."""
    return say(json.dumps({"type": kind, **document}))


def write_all(texts: Iterable[str], stream: TextIO | None = None) -> bool:
    """Write texts as they are produced, in UTF-8 and without translating line ends.

    Args:
        texts: The contents. Errors of the iterator are raised.
        stream: A stream for UTF-8; by default standard output, which is set to UTF-8.

    Returns:
        As :func:`say` does. If the reader has ended, the remaining texts are not produced.
    """
    if stream is None:
        stream = sys.stdout
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):  # its buffer cannot be written; the next write reports that
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
    """Flush both outputs, so that nothing is left for Python to flush when it exits, which could fail."""
    for stream in (sys.stdout, sys.stderr):
        _write(stream, "")


def _redacted(text: str) -> str:
    """Return text without the credentials of this run, in case that one was pasted as an order id, for example."""
    from vtex_tracking_ext.config.redaction import redact_known  # noqa: PLC0415 - --help needs no logging, regex

    return redact_known(text)


def _write(stream: TextIO, text: str) -> bool:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _divert(stream)
    except (OSError, ValueError):  # ValueError: the stream is closed
        _divert(stream)
        return False
    return True


def _divert(stream: TextIO) -> None:
    """Redirect a stream that failed to the null device: flushing its buffer when Python exits would fail again."""
    with suppress(OSError, ValueError):  # it has no descriptor, so Python flushes nothing
        descriptor = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)
