"""Checks that a journal's files have one name, are still in their place, and were not changed by other programs.

SQLite finds a journal's log, and this program its lock, by the name of the journal's file. Under another name of the
same file, a hard link, neither is found, and two processes would overwrite each other's changes. Bind mounts of a
single file have the same effect, but cannot be recognized.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable


def refuse_links(path: Path) -> None:
    """Raise JournalError if a journal, its log or its locks are links, or have other names."""
    for ending in ("", "-wal", "-lock", "-open"):
        refuse_link(f"{path}{ending}")


def refuse_link(path: str | Path) -> None:
    """Raise JournalError if a file is a link or a folder, or has other names."""
    try:
        status = os.lstat(path)
    except OSError:  # opening it reports what is wrong
        return
    if not stat.S_ISREG(status.st_mode):
        raise JournalError(
            f"{visible(str(path))} is a link or not a file; remove it, or replace a link by the file that it refers to."
        )
    if status.st_nlink > 1 and _counts_links(path):
        raise _link_error(path)


def file_guard(*paths: Path) -> Callable[[], None]:
    """Return a check that raises JournalError if a file was moved, replaced, deleted or linked since this call.

    SQLite would go on writing to a deleted file.
    """
    identities = {str(path): _identity(str(path)) for path in paths}

    def check() -> None:
        for path, identity in identities.items():
            found = _identity(path)
            if found is None or identity is None or found[:2] != identity[:2]:
                raise JournalError(
                    f"{visible(path)} was moved or deleted during the run; put it back where it was and run again."
                )
            if found[2] > max(1, identity[2]):
                raise _link_error(path)

    return check


def sign(*files: Path) -> None:
    """Give files the same modification time, so that :func:`is_signed` recognizes a later change of one of them."""
    now = time.time_ns()
    with suppress(OSError):  # another user owns the file: the journal is checked each time that it is opened
        for file in files:
            os.utime(file, ns=(now, now))


def is_signed(*files: Path) -> bool:
    """Return whether files are as :func:`sign` left them."""
    try:
        return len({os.stat(file).st_mtime_ns for file in files}) == 1  # noqa: PTH116 - faster
    except OSError:
        return False


def _link_error(path: str | Path) -> JournalError:
    return JournalError(
        f"{visible(str(path))} has several names (hard links), and would be damaged if two of them were used; remove "
        "the others, or replace this one by a copy that was made while no process used it."
    )


def _counts_links(path: str | Path) -> bool:
    """Return whether a file system counts links: some report more than 1 for every file."""
    try:
        with NamedTemporaryFile(dir=Path(path).parent) as file:
            return os.fstat(file.fileno()).st_nlink <= 1
    except OSError:
        return True


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - before each transaction, and faster
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_nlink
