"""The exit statuses of all commands."""

from __future__ import annotations

from enum import IntEnum

from vtex_tracking_ext import errors


class ExitCode(IntEnum):
    """Exit status of a command."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    CONFIGURATION = 3
    UNKNOWN = 4
    INCOMPLETE = 5
    INTERRUPTED = 130


#: From the mildest to the most severe.
_BY_SEVERITY = (
    ExitCode.OK,
    ExitCode.REFUSED,
    ExitCode.USAGE,
    ExitCode.INCOMPLETE,
    ExitCode.UNKNOWN,
    ExitCode.CONFIGURATION,
    ExitCode.INTERRUPTED,
)

#: In this order, because some errors are subclasses of RefusedError.
_ERRORS = {
    ExitCode.CONFIGURATION: (errors.ConfigurationError, errors.AuthenticationError, errors.PermissionDeniedError),
    ExitCode.UNKNOWN: (errors.OutcomeUnknownError,),
    ExitCode.INCOMPLETE: (errors.RateLimitedError, errors.NotSentError, errors.ReadFailedError),
    ExitCode.REFUSED: (errors.RefusedError,),
}


def most_severe(*codes: ExitCode) -> ExitCode:
    """Return the most severe of several exit statuses."""
    return max(codes, key=_BY_SEVERITY.index)


def exit_code_of(error: errors.VtexTrackingError) -> ExitCode:
    """Return the exit status for an error. Other errors than those listed come from invalid input."""
    from vtex_tracking_ext.bulk.input.disk import DiskError  # noqa: PLC0415 - for quick --help
    from vtex_tracking_ext.bulk.journal import interface  # noqa: PLC0415 - for quick --help

    if isinstance(error, DiskError | interface.JournalUnavailableError):
        return ExitCode.INCOMPLETE
    if isinstance(error, interface.JournalError):
        return ExitCode.CONFIGURATION
    return next((code for code, kinds in _ERRORS.items() if isinstance(error, kinds)), ExitCode.USAGE)
