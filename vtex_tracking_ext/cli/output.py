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
from typing import TYPE_CHECKING, Any, Final, TextIO

from .terminal import colored, is_colored, wrapped

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from .terminal import Style


class _Options:
    """How this run prints.

    Attributes:
        color: When lines have colours: ``auto``, ``always`` or ``never``.
        is_json: Whether standard output is for programs.
        is_quiet: Whether nothing is printed as long as all is well.
        kept: Lines for standard output of a quiet run, each with its style.
    """

    def __init__(self) -> None:
        self.color = "auto"
        self.is_json = False
        self.is_quiet = False
        self.kept: list[tuple[str, Style]] = []


_options: Final = _Options()


def prepare() -> None:
    """Make both outputs writable, and forget the options of an earlier run.

    A closed stream is replaced by the null device, so that no file or connection opened later gets its descriptor.
    Characters that the encoding lacks are printed as escapes.
    """
    _options.__init__()  # type: ignore[misc] # the same object, which other functions use
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it is sys's
            setattr(sys, name, stream)
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):  # its buffer cannot be written; the next write reports that
                stream.reconfigure(errors="backslashreplace")


def configure(parsed: argparse.Namespace) -> None:
    """Print as the options of a command say; those that it does not have keep their defaults."""
    _options.color = getattr(parsed, "color", "auto")
    _options.is_json = getattr(parsed, "json", False)
    _options.is_quiet = hasattr(parsed, "json") and parsed.quiet  # the commands without JSON have another --quiet


def say(text: str, style: Style = "") -> bool:
    """Print lines on standard output and flush it. A quiet run keeps them, for :func:`end_quiet`.

    Args:
        text: The lines.
        style: What they are.

    Returns:
        False if they could not be written completely. A reader that has ended needs no more lines: True.
    """
    if _options.is_quiet:
        _options.kept.append((text, style))
        return True
    return _print(sys.stdout, text, style)


def warn(text: str, style: Style = "") -> bool:
    """Print lines about a problem on standard error and flush it; takes and returns what :func:`say` does."""
    return _print(sys.stderr, text, style)


def inform(text: str, style: Style = "") -> None:
    """Print lines on standard error that are not about a problem; a quiet run does not print them."""
    if not _options.is_quiet:
        warn(text, style)


def is_quiet() -> bool:
    """Return whether nothing is printed as long as all is well."""
    return _options.is_quiet


def end_quiet(*, is_well: bool) -> None:
    """Print what a quiet run kept on standard error, unless all is well."""
    kept, _options.kept = _options.kept, []
    if not is_well:
        for text, style in kept:
            warn(text, style)


def say_json(kind: str, document: Mapping[str, Any]) -> bool:
    """Print a JSON line on standard output; returns as :func:`say` does."""
    return _write(sys.stdout, f"{_redacted(json.dumps({'type': kind, **document}))}\n")


def fail(command: str, message: str, error: str, exit_status: int, traceback: str = "") -> None:
    """Print why a command failed: on standard error, or with ``--json`` as JSON on standard output.

    Args:
        command: The command, or an empty text if it is not known.
        message: The reason.
        error: The name of the error's class.
        exit_status: The exit status.
        traceback: Where it failed, for an internal error.
    """
    if _options.is_json:
        document = {"command": command, "exit_status": int(exit_status), "error": error, "message": message}
        say_json("error", {**document, "traceback": traceback} if traceback else document)
        return
    if traceback:
        warn(traceback)
    warn(f"vtex-tracking {command}: {message}", "bad")


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


def _print(stream: TextIO, text: str, style: Style) -> bool:
    """Print lines as they look on the stream; what is for programs is left as it is."""
    if stream is sys.stdout and _options.is_json:
        return _write(stream, f"{_redacted(text)}\n")
    is_terminal = False
    with suppress(ValueError):  # the stream is closed; writing reports that
        is_terminal = stream.isatty()
    lines = _redacted(text).split("\n")
    if is_terminal and style != "table":
        import shutil  # noqa: PLC0415 - for a quick start

        width = shutil.get_terminal_size().columns
        lines = [part for line in lines for part in wrapped(line, width)]
    if is_colored(_options.color, os.environ, is_terminal=is_terminal):
        lines = [colored(line, style) for line in lines]
    return _write(stream, "\n".join([*lines, ""]))


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
