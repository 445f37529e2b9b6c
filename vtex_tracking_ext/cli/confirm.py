"""Ask a person before something is changed that cannot be undone easily."""

from __future__ import annotations

import sys

from vtex_tracking_ext.errors import VtexTrackingError

from .output import warn


def confirm(question: str, *, is_confirmed: bool) -> bool:
    """Return whether a person agrees.

    Args:
        question: What is about to be done, as a question.
        is_confirmed: Whether ``--yes`` was given; then nobody is asked.

    Raises:
        VtexTrackingError: Nobody can be asked, because the input or the output is not a terminal.
    """
    if is_confirmed:
        return True
    if not has_terminal():
        raise VtexTrackingError(f"{question} Nothing was changed: add --yes to confirm.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    warn("Nothing was changed.")
    return False


def has_terminal() -> bool:
    """Return whether a person can be asked: the input and standard error are a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
