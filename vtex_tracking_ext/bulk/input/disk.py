"""Errors of files that cannot be written: a wrong configuration, or a disk that is full."""

from __future__ import annotations

import errno
from typing import Final

from vtex_tracking_ext.errors import ConfigurationError

#: Errors of the operating system after which a run can be resumed, once someone has freed space or repaired the disk.
TEMPORARY: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
)


class DiskError(ConfigurationError):
    """A file cannot be written at the moment, for example because the disk is full. Run again to resume."""


def write_error(message: str, error: OSError) -> ConfigurationError:
    """Return the error for a file that cannot be written: DiskError if writing it again can succeed."""
    return (DiskError if error.errno in TEMPORARY else ConfigurationError)(message)
