"""Lock files beside a journal, which end with the process that holds them."""

from __future__ import annotations

import random
import sqlite3
import stat
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, Self

from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError
from vtex_tracking_ext.text import visible

from .connection import connect, fetch_int
from .errors import ERRORS, journal_error, translated_errors
from .guard import refuse_link, sign

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds to wait for other processes that write to the journal. Each holds the lock for one transaction.
WRITE_TIMEOUT: Final = 30.0

#: Upper bounds for the seconds between two attempts to lock, at first and after several attempts. If many threads
#: continued to try as often as at first, they would slow down the thread that holds the lock.
_LOCK_INTERVAL: Final = 0.002
_MAX_LOCK_INTERVAL: Final = 0.05

#: Seconds to wait for the write lock before checking whether another process uses the journal.
_LAST_USE_TIMEOUT: Final = 1.0


class FileLock:
    """A lock that one connection at a time holds, of any process; it ends with the process. Not thread-safe.

    The lock is SQLite's on an empty file beside the journal, which works on every system. That file stays: if it were
    removed, two processes could each lock a file of that name.

    Args:
        path: The lock file; it is created if it does not exist.
        like: The journal, which has the permissions with which the lock file is created; by default 0600. A user who
            can open the lock file can hold the lock.
        is_open: Whether the journal is open; see :func:`journal_error`.

    Raises:
        JournalError: The file cannot be used.
    """

    def __init__(self, path: Path, like: Path | None = None, *, is_open: bool = False) -> None:
        self.path = path
        with translated_errors(path, is_open=is_open):
            is_new = not path.exists()
            self._connection = connect(path, "mode=rwc", 0)
            if is_new:  # SQLite has created it; opening and closing it here could release another thread's lock
                path.chmod(stat.S_IMODE(like.stat().st_mode) if like else 0o600)
        # No other file for a lock that writes nothing. The setting needs the lock as well.
        self._statements = ["PRAGMA journal_mode = MEMORY", "BEGIN EXCLUSIVE"]

    def try_acquire(self, seconds: float = 0.0) -> bool:
        """Acquire the lock within some seconds, and return whether it succeeded."""
        end, interval = time.monotonic() + seconds, _LOCK_INTERVAL
        while True:
            try:
                for statement in self._statements:
                    self._connection.execute(statement)
            except ERRORS as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                    raise journal_error(self.path, error) from None
            else:
                del self._statements[:-1]
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(interval * random.random())  # noqa: S311 - so that two processes do not keep in step
            interval = min(1.5 * interval, _MAX_LOCK_INTERVAL)

    def share(self) -> None:
        """Hold the lock together with others that share it; nobody can acquire it meanwhile.

        Raises:
            JournalError: The file cannot be used, or another connection holds the lock.
        """
        self._connection.rollback()
        with translated_errors(self.path):
            self._connection.execute("BEGIN")
            fetch_int(self._connection, "PRAGMA schema_version")

    def release(self) -> None:
        """Release the lock."""
        self._connection.rollback()

    def __enter__(self) -> Self:
        """Acquire the lock.

        Raises:
            JournalInUseError: Others keep it for longer than :data:`WRITE_TIMEOUT`.
        """
        try:
            if self.try_acquire(WRITE_TIMEOUT):
                return self
            raise JournalInUseError(  # noqa: TRY301
                f"{visible(str(self.path))}: another process has kept the journal locked for {WRITE_TIMEOUT:.0f} s. "
                "Wait for it; if it was stopped or hangs, end it. (An earlier version of vtex-tracking keeps the lock "
                "until it ends.)"
            )
        except BaseException:  # an interrupt can come as soon as the lock is acquired
            self._connection.rollback()
            raise

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()

    def close(self) -> None:
        """Release the lock, and close the file."""
        self._connection.close()


def write_lock_path(path: Path) -> Path:
    """Return the file of the lock that is held during each transaction that writes to a journal.

    Earlier versions of this program hold it for a whole run.
    """
    return path.with_name(f"{path.name}-lock")


def use_path(path: Path) -> Path:
    """Return the file of the lock that all processes that write to a journal share; the last one deletes it."""
    return path.with_name(f"{path.name}-open")


def end_use(path: Path, write_lock: FileLock, use_lock: FileLock, *, has_failed: bool) -> None:
    """Close the lock of :func:`use_path` after the journal was closed; sign the files if no other process uses them.

    Args:
        path: The journal.
        write_lock: Its write lock.
        use_lock: The lock, shared.
        has_failed: Whether SQLite failed, so that the journal must be checked when it is opened the next time.
    """
    use_lock.release()
    with closing(use_lock), suppress(*ERRORS, JournalError):
        if write_lock.try_acquire(_LAST_USE_TIMEOUT):
            if use_lock.try_acquire():
                if not has_failed:
                    sign(path, write_lock.path)
                use_lock.close()
                use_lock.path.unlink()
            write_lock.release()


def lease_path(path: Path, account_id: int) -> Path:
    """Return the file of the lock that the process that delivers an account holds."""
    return path.with_name(f"{path.name}-lease-{account_id}")


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a lock file, without acquiring it or creating a file.

    Raises:
        JournalError: The lock file cannot be used.
    """
    if not path.exists():
        return False
    refuse_link(path)
    with translated_errors(path), closing(connect(path, "mode=ro", 0)) as connection:
        try:
            fetch_int(connection, "PRAGMA schema_version")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return True
    return False
