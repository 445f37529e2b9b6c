"""Find the files that check and push name, by name, by wildcards or by folder, and watch folders."""

from __future__ import annotations

from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.input.inbox import DONE, REJECTED, SETTLE_SECONDS, Inbox, InboxFile
from vtex_tracking_ext.bulk.input.rows import InputFileError
from vtex_tracking_ext.bulk.input.wildcards import expand
from vtex_tracking_ext.bulk.recorder import RowCounts
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import visible

from .exit_codes import ExitCode, exit_code_of, most_severe
from .interrupts import sigterm_as_interrupt
from .output import end_quiet, fail, inform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vtex_tracking_ext.bulk.input.inbox import FileOutcome, Look
    from vtex_tracking_ext.bulk.journal.opening import Location

    from .messages import Console

#: Most seconds between two rounds of a watch, while rounds fail or leave something open.
_MAX_PAUSE: Final = 60.0

#: After a round with one of these, the next round delivers again, also without new files.
_OPEN: Final = frozenset({ExitCode.INCOMPLETE, ExitCode.UNKNOWN, ExitCode.CONFIGURATION})


class InputFiles:
    """The files that the arguments of a command name.

    Args:
        names: The arguments.
        own_files: Where the journal and other files of the command are. A folder whose files are moved must not contain
            them. The URL of a database does not matter.

    Raises:
        InputFileError: No file matches a pattern, or a folder cannot be used.
        ConfigurationError: One of the command's own files is in a folder that is named.
    """

    def __init__(self, names: Iterable[str], own_files: Sequence[Location] = ()) -> None:
        self._sources: list[str | Inbox] = []
        for name in (each for pattern in names for each in expand(pattern)):
            self._sources.append(_inbox(Path(name), own_files) if Path(name).is_dir() else name)
        self._looks: list[Look] = []
        self._reported: set[Path] = set()

    @property
    def folders(self) -> list[Path]:
        """The folders among them."""
        return [source.folder for source in self._sources if isinstance(source, Inbox)]

    @property
    def are_folders(self) -> bool:
        """Whether there are folders only."""
        return len(self.folders) == len(self._sources) > 0

    def look(self) -> list[str | InboxFile]:
        """Return the files that are complete now. In folders, these are found by the second look.

        Raises:
            InputFileError: A folder cannot be read.
        """
        self._looks.clear()
        files: list[str | InboxFile] = []
        for source in self._sources:
            if isinstance(source, str):
                files.append(source)
            else:
                look = source.look()
                self._looks.append(look)
                files += look.ready
        return files

    def complete(self, console: Console) -> tuple[list[str | InboxFile], ExitCode]:
        """Return the complete files, after a pause if there are folders with files, and print which ones are left out.

        Returns:
            The files; and :attr:`.ExitCode.INCOMPLETE` if some were left out because they are still being written,
            :attr:`.ExitCode.USAGE` if some cannot be opened.
        """
        files = self.look()
        if any(look.unfinished for look in self._looks):
            sleep(SETTLE_SECONDS)
            files = self.look()
        code = ExitCode.OK
        for look in self._looks:
            for path, reason in look.unfinished.items():
                console.left(path, f"{reason}; it is left for the next push")
                code = ExitCode.INCOMPLETE
        return files, most_severe(code, self.report_unusable(console))

    def report_unusable(self, console: Console) -> ExitCode:
        """Print, once each, which entries of the folders are no files, or cannot be opened."""
        code = ExitCode.OK
        for path, reason in ((path, reason) for look in self._looks for path, reason in look.unusable.items()):
            if path not in self._reported:
                self._reported.add(path)
                console.left(path, reason)
            if not path.is_dir():
                code = ExitCode.USAGE
        return code


def read_inbox_file(file: InboxFile, read: Callable[[], RowCounts], console: Console, *, moves: bool) -> ExitCode:
    """Read a file of a folder, move it, and print both. A file that cannot be used does not stop the others.

    A file of which every row was recorded goes to ``done/``; one with invalid rows, or that cannot be used as a whole,
    to ``rejected/``. A file that cannot be read because of the options or the installation stays.

    Args:
        file: The file.
        read: Records its rows, and returns the counts.
        console: Prints.
        moves: Whether to move it.

    Raises:
        JournalError: The journal cannot be used.
    """
    counts, reason, code = RowCounts(), "", ExitCode.OK
    outcome: FileOutcome | None = None
    path = file.path
    try:
        try:
            counts = read()
        except InputFileError as error:
            reason, code = str(error), ExitCode.USAGE
        if moves:
            outcome, path = file.finish(is_rejected=bool(reason or counts.invalid or counts.unmatched))
    except ConfigurationError as error:
        outcome, reason, code = "left", str(error), ExitCode.CONFIGURATION
    else:
        if outcome == "left":
            reason, code = "", ExitCode.INCOMPLETE
        elif outcome == "gone":
            code = ExitCode.OK
    console.file(file.path, counts, outcome, path, reason)
    return code


def watch(files: InputFiles, push_round: Callable[[Sequence[str | InboxFile]], ExitCode], console: Console) -> ExitCode:
    """Push the files of folders as they come, until Ctrl-C or SIGTERM.

    A round that fails, or leaves something open, is repeated after a pause that grows to a minute: the database may be
    back then.

    Args:
        files: The folders.
        push_round: Pushes complete files, and what is pending.
        console: Prints.

    Returns:
        :attr:`.ExitCode.OK` if it was stopped between two rounds, :attr:`.ExitCode.INTERRUPTED` while it delivered.

    Raises:
        KeyboardInterrupt: It was stopped while it read files.
    """
    inform(f"Watching {', '.join(visible(str(folder)) for folder in files.folders)}. Ctrl-C or SIGTERM stops.")
    pause, code = SETTLE_SECONDS, ExitCode.INCOMPLETE  # the first round sends what earlier pushes left
    is_in_round = False
    with sigterm_as_interrupt():
        try:
            while code is not ExitCode.INTERRUPTED:
                try:
                    found = files.look()
                    files.report_unusable(console)
                    if found or code in _OPEN:
                        is_in_round = True
                        code = push_round(found)
                except VtexTrackingError as error:
                    message = f"{visible(str(error), 4000)} Trying again."
                    fail("push", message, type(error).__name__, exit_code_of(error))
                    code = ExitCode.INCOMPLETE
                end_quiet(is_well=code is ExitCode.OK)
                is_in_round = False
                pause = min(pause * 2, _MAX_PAUSE) if code in _OPEN else SETTLE_SECONDS
                if code is not ExitCode.INTERRUPTED:
                    sleep(pause)
        except KeyboardInterrupt:
            if is_in_round:
                raise
            inform("Stopped.")
            return ExitCode.OK
    return code


def _inbox(folder: Path, own_files: Iterable[Location]) -> Inbox:
    if folder.absolute().name in {DONE, REJECTED}:
        raise InputFileError(
            f"{folder}: a folder of this name holds files that were pushed; name files in it, or move them to the "
            "folder above it and push that."
        )
    for path in own_files:
        if isinstance(path, Path) and path.parent.resolve() == folder.resolve():
            raise ConfigurationError(
                f"{folder}: contains {path.name}, which would be moved with the other files; keep it in another folder."
            )
    return Inbox(folder)
