"""What else can happen to a journal's files: other names, being moved, and changes by other programs.

SQLite finds a journal's log, and this program its lock, by the name of the journal's file. Under another name of the
same file, neither is found: a hard link would be another journal that overwrites this one. Bind mounts of a single file
have the same effect, but cannot be recognized.
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
            f"{visible(str(path))} is a link or no file; remove it, or put the file that it leads to in its place."
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
    """Give some files the same time, which differs from the time of any later change, so that changes can be seen."""
    now = time.time_ns()
    with suppress(OSError):  # of another user: it is checked each time that it is opened
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
        f"{visible(str(path))} has several names (hard links), and would be damaged if it was used under both; remove "
        "the others, or replace this one by a copy that was made while no process used it."
    )


def _counts_links(path: str | Path) -> bool:
    """Return whether a file's file system counts links: some report another number than 1 for every file."""
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
