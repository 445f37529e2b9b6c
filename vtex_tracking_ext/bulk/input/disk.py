"""What a file that cannot be written means: a wrong configuration, or a disk that is full for now."""

from __future__ import annotations

import errno
from typing import Final

from vtex_tracking_ext.errors import ConfigurationError

#: Errors of the operating system that end when someone frees space, closes files or repairs the disk.
TEMPORARY: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
)


class DiskError(ConfigurationError):
    """A file cannot be written for now, because the disk is full, for example. Run again afterwards."""


def write_error(message: str, error: OSError) -> ConfigurationError:
    """Return the error for a file that cannot be written; ``message`` contains everything but the kind of error."""
    return (DiskError if error.errno in TEMPORARY else ConfigurationError)(message)
