"""A folder into which other programs put files: which of them are complete, and where a file goes after it was read.

A file is complete when two looks at the folder, some seconds apart, find it unchanged. A file that is empty, or that
another program has open for writing, must also be a minute old. Files that are named as programs name unfinished ones
are not listed.

A file is read where it lies, and moved after its rows were noted. So nothing is lost if the process ends in between:
the file is read again, and the journal recognises its rows. Several processes can read one folder: what one of them
moved is gone for the others.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import define, field, frozen

from vtex_tracking_ext.errors import ConfigurationError

from .rows import InputFileError

try:
    from fcntl import F_RDLCK, F_SETLEASE, F_SETSIG, fcntl
except ImportError:  # pragma: no cover - only Linux has leases
    _HAS_LEASES = False
else:
    _HAS_LEASES = True

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: The folders in an inbox to which files are moved.
DONE: Final = "done"
REJECTED: Final = "rejected"

#: Seconds that must pass between two looks.
SETTLE_SECONDS: Final = 2.0

#: Seconds since its last change after which a file counts as complete although it is empty or open. On some network
#: file systems every file seems to be open.
DOUBT_SECONDS: Final = 60.0

#: Beginnings and ends of the names of unfinished files: hidden ones, locks of office programs, uploads by SFTP and FTP
#: (WinSCP: ``.filepart``), downloads of browsers.
_UNFINISHED_STARTS: Final = (".", "~")
_UNFINISHED_ENDS: Final = (
    *(".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".opdownload", ".upload"),
    *(".uploading", ".writing", ".incomplete", ".inprogress", ".lock", ".swp", "~"),
)

#: Files that Windows adds to folders.
_OF_WINDOWS: Final = frozenset({"desktop.ini", "thumbs.db"})

#: What differs after a file was changed or replaced: its number, size and time of change.
Version: TypeAlias = tuple[int, int, int]

#: What happened to a file: it was moved to ``done/`` or ``rejected/``; it stays because it was changed after it was
#: listed, or cannot be read for a reason that is not its own; or another process had moved it before.
FileOutcome: TypeAlias = Literal["done", "rejected", "left", "gone"]


@frozen
class InboxFile:
    """A complete file of an inbox.

    Attributes:
        path: The file.
        version: Its version when it was listed.
        inbox: Its inbox.
    """

    path: Path
    version: Version
    inbox: Inbox

    @property
    def rejects_folder(self) -> Path:
        """The folder of its rejects file."""
        return self.inbox.folder / REJECTED

    def finish(self, *, is_rejected: bool) -> tuple[FileOutcome, Path]:
        """Move the file to ``done/``, or to ``rejected/``, and return what happened and where the file is now.

        No file is overwritten: where one of the name exists, the new one is ``events-2.csv``, and so on. A file that
        was changed after it was listed stays, so that it is read again.

        Raises:
            ConfigurationError: It cannot be moved.
        """
        outcome: FileOutcome = REJECTED if is_rejected else DONE
        try:
            if _version(self.path) != self.version:
                return "left", self.path
            return outcome, _move(self.path, self.inbox.folder / outcome)
        except FileNotFoundError:
            return "gone", self.path
        except OSError as error:
            raise ConfigurationError(
                f"{self.path}: cannot be moved to {outcome}{os.sep}: {error.strerror or error}. It stays, and the next "
                "push reads it again; rows that were noted are not sent twice."
            ) from None


@frozen
class Look:
    """What one look at an inbox found.

    Attributes:
        ready: The complete files, the oldest first, by the time of their last change, then by name.
        unfinished: The other files, with the reason why they are left for a later look.
        unusable: Subfolders, links, and files that cannot be opened, with the reason.
    """

    ready: tuple[InboxFile, ...]
    unfinished: Mapping[Path, str]
    unusable: Mapping[Path, str]


@define
class Inbox:
    """A folder with files to read.

    Attributes:
        folder: The folder.
    """

    folder: Path
    _clock: Callable[[], float] = field(default=time.time, kw_only=True)
    _seen: dict[Path, Version] = field(init=False, factory=dict)

    def look(self) -> Look:
        """Look at the files. A file that has not changed since the last look is complete; at the first look, none is.

        At least :data:`SETTLE_SECONDS` must have passed since the last look.

        Raises:
            InputFileError: The folder cannot be read.
        """
        ready: list[InboxFile] = []
        unfinished: dict[Path, str] = {}
        seen: dict[Path, Version] = {}
        paths, unusable = self._list()
        for path in paths:
            try:
                version = _version(path)
                is_unchanged = version == self._seen.get(path)
                is_open = is_unchanged and _is_open(path)
            except FileNotFoundError:  # another process moved it
                continue
            except OSError as error:
                unusable[path] = f"cannot be read: {error.strerror or error}"
                continue
            seen[path] = version
            _, size, changed = version
            if not is_unchanged:
                unfinished[path] = "was just written, or is still being written"
            elif (is_open or not size) and self._clock() - changed / 1e9 < DOUBT_SECONDS:
                unfinished[path] = "is open in another program" if is_open else "is empty"
            else:
                ready.append(InboxFile(path, version, self))
        self._seen = seen
        ready.sort(key=lambda file: (file.version[2], file.path.name))
        return Look(tuple(ready), unfinished, unusable)

    def _list(self) -> tuple[list[Path], dict[Path, str]]:
        """Return the files, and what is not read, with the reason.

        Links are not followed: who may put files into the folder could otherwise have any file read.
        """
        files: list[Path] = []
        others: dict[Path, str] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    path = self.folder / entry.name
                    if not _is_listed(entry.name.lower()) or entry.name in {DONE, REJECTED}:
                        continue
                    if entry.is_file(follow_symlinks=False):
                        files.append(path)
                    elif entry.is_symlink():
                        others[path] = "is a link, which is not followed"
                    elif entry.is_dir():
                        others[path] = "is a folder, whose files are not read; name it to push them"
        except OSError as error:
            raise InputFileError(f"{self.folder}: cannot be read: {error.strerror or error}.") from None
        return files, others


def _is_listed(name: str) -> bool:
    return not (name.startswith(_UNFINISHED_STARTS) or name.endswith(_UNFINISHED_ENDS) or name in _OF_WINDOWS)


def _version(path: Path) -> Version:
    """Return the version of a file. It is opened because network file systems then ask the server."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
    return status.st_ino, status.st_size, status.st_mtime_ns


def _is_open(path: Path) -> bool:
    """Return whether another program seems to have a file open for writing.

    On Windows an open file cannot be renamed; elsewhere, renaming a file to its own name does nothing. Linux grants no
    read lease on a file that is open for writing. The lease ends when the file is closed here; a program that opens the
    file before that is reported by a signal, so that signal is set to one that is ignored.
    """
    try:
        path.rename(path)
    except FileNotFoundError:
        raise
    except OSError:
        return True
    if not _HAS_LEASES:
        return False
    with path.open("rb") as file:
        try:
            fcntl(file, F_SETSIG, signal.SIGURG)
            fcntl(file, F_SETLEASE, F_RDLCK)
        except OSError as error:  # others: the file system has no leases, or the file has another owner
            return error.errno == errno.EAGAIN
    return False


def _move(path: Path, folder: Path) -> Path:
    """Move a file into a folder, under its name or one with a number, and return its new path."""
    folder.mkdir(exist_ok=True)
    target, number = folder / path.name, 1
    while True:
        try:
            target.open("x").close()  # reserves the name
            break
        except FileExistsError:
            number += 1
            target = folder / f"{path.stem}-{number}{path.suffix}"
    try:
        _replace(path, target)
    except OSError:  # not an interrupt, which may come when the file is there already
        target.unlink()
        raise
    return target


def _replace(path: Path, target: Path) -> None:
    """Move a file to a path that exists, also to another disk."""
    try:
        path.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copy2(path, target)
        path.unlink()
