"""The exit statuses of all commands."""

from __future__ import annotations

from enum import IntEnum

from vtex_tracking_ext.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidUpdateError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    ReadFailedError,
    RefusedError,
    VtexTrackingError,
)


class ExitCode(IntEnum):
    """Exit status of a command."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    CONFIGURATION = 3
    UNKNOWN = 4
    INCOMPLETE = 5
    INTERRUPTED = 130


_BY_ERROR: tuple[tuple[type[VtexTrackingError], ExitCode], ...] = (
    (ConfigurationError, ExitCode.CONFIGURATION),
    (AuthenticationError, ExitCode.CONFIGURATION),
    (PermissionDeniedError, ExitCode.CONFIGURATION),
    (InvalidUpdateError, ExitCode.USAGE),
    (OutcomeUnknownError, ExitCode.UNKNOWN),
    (RateLimitedError, ExitCode.INCOMPLETE),
    (NotSentError, ExitCode.INCOMPLETE),
    (ReadFailedError, ExitCode.INCOMPLETE),
    (RefusedError, ExitCode.REFUSED),
)


def exit_code_of(error: VtexTrackingError) -> ExitCode:
    """Return the exit status for an error. Other errors than those listed come from invalid input."""
    from vtex_tracking_ext.bulk.journal.interface import JournalError  # noqa: PLC0415 - for quick --help

    kinds = ((JournalError, ExitCode.CONFIGURATION), *_BY_ERROR)
    return next((status for kind, status in kinds if isinstance(error, kind)), ExitCode.USAGE)
