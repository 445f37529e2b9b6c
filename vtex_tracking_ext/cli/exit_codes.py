"""Exit statuses, the same for every command."""

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


class Status(IntEnum):
    """What a command's exit status says."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    CONFIGURATION = 3
    UNKNOWN = 4
    INCOMPLETE = 5
    INTERRUPTED = 130


_BY_ERROR: tuple[tuple[type[VtexTrackingError], Status], ...] = (
    (ConfigurationError, Status.CONFIGURATION),
    (AuthenticationError, Status.CONFIGURATION),
    (PermissionDeniedError, Status.CONFIGURATION),
    (InvalidUpdateError, Status.USAGE),
    (OutcomeUnknownError, Status.UNKNOWN),
    (RateLimitedError, Status.INCOMPLETE),
    (NotSentError, Status.INCOMPLETE),
    (ReadFailedError, Status.INCOMPLETE),
    (RefusedError, Status.REFUSED),
)


def status_of(error: VtexTrackingError) -> Status:
    """Return the exit status of a command that ended in ``error``; what is left over is bad input."""
    from vtex_tracking_ext.bulk.journal.interface import JournalError  # noqa: PLC0415 - so that --help is quick

    kinds = ((JournalError, Status.CONFIGURATION), *_BY_ERROR)
    return next((status for kind, status in kinds if isinstance(error, kind)), Status.USAGE)
