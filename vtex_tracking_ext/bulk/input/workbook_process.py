"""Read a workbook's sheet in a process of its own, which :mod:`.workbooks` starts.

A workbook can end this process: calamine panics, or aborts the process if it cannot allocate memory. A workbook that
needs more memory or time than the process has is ended by the operating system. The caller's process goes on.

The module imports little, so that the process starts quickly.
"""

from __future__ import annotations

import json
import pickle
import struct
import sys
import zipfile
from contextlib import suppress
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

# Absolute names, because this module is also run as a program.
from vtex_tracking_ext.bulk.input.workbook_details import CellError, read_details
from vtex_tracking_ext.bulk.input.workbook_xls import read_xls_details
from vtex_tracking_ext.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from python_calamine import CalamineWorkbook

    from vtex_tracking_ext.bulk.input.workbook_details import Details

#: Before the rows, whether the workbook counts days from 1904, or None if that is not known; then some rows as lists of
#: cells; after the last row, notes about the sheet. A text in place of any of them says why the workbook is refused.
Message: TypeAlias = list[list[Any]] | tuple[str, ...] | bool | str | None

#: Most bytes that a workbook may unpack to.
_MAX_BYTES: Final = 2 << 30

#: The first bytes of XLS files, and of encrypted workbooks.
_OFFICE: Final = b"\xd0\xcf\x11\xe0"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")

#: The first number that may have lost its last digits: a spreadsheet keeps 15.
INEXACT: Final = 10**15

_NO_DETAILS: Final = (
    "cells with an error, hidden rows, and zeros that only a number format shows cannot be told in this kind of "
    "workbook; if it may have any, save it as XLSX"
)

#: Most number formats that are noted.
_MAX_FORMATS: Final = 8

#: Rows in one message.
_BATCH: Final = 1000


class _RefusedError(Exception):
    """The workbook is refused; the message says why."""


def main(arguments: str) -> None:
    """Write the rows of the workbook on standard input to standard output, each message pickled.

    Args:
        arguments: In JSON: the limits of :func:`limit_resources`, the sheet or null, and whether to leave out hidden
            rows.
    """
    memory, seconds, sheet, visible_only = json.loads(arguments)
    limit_resources(memory, seconds)
    send_rows(
        sys.stdin.buffer,
        sheet,
        lambda message: pickle.dump(message, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL),
        visible_only=visible_only,
    )
    sys.stdout.flush()


def limit_resources(memory: int, seconds: int) -> None:
    """Limit this process, and let it leave no core dump. macOS does not limit memory, and Windows limits nothing.

    Args:
        memory: Bytes that it may allocate.
        seconds: CPU time that it may use.
    """
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return
    limits = {resource.RLIMIT_DATA: memory, resource.RLIMIT_CPU: seconds, resource.RLIMIT_CORE: 0}
    for kind, limit in limits.items():
        with suppress(ValueError):  # what the process inherited is less already
            resource.setrlimit(kind, (limit, resource.getrlimit(kind)[1]))


def send_rows(
    file: IO[bytes], sheet: str | None, send: Callable[[Message], object], *, visible_only: bool = False
) -> None:
    """Send the rows of a sheet, then notes about it, or the reason why the workbook is refused.

    Args:
        file: The workbook.
        sheet: The sheet's name; otherwise it is the only visible one that has cells.
        send: Is called with each message.
        visible_only: Whether hidden rows are sent as empty ones.

    Raises:
        MemoryError: There is not enough memory.
    """
    last: Message
    try:
        import python_calamine as calamine  # noqa: PLC0415 - an extra

        archive = zipfile.ZipFile(file) if zipfile.is_zipfile(file) else None
        if archive is not None:
            _check_parts(archive)
        file.seek(0)
        with calamine.CalamineWorkbook.from_filelike(file) as book:
            name = _choose_sheet(book, sheet)
            details = _read_xls(file, name) if archive is None else read_details(archive, name)
            rows = SheetRows(details, visible_only=visible_only)
            lines = book.get_sheet_by_name(name).iter_rows()
            send(None if details is None else details.is_1904)
            while batch := list(islice(lines, _BATCH)):
                send(rows.read(batch))
        last = rows.notes()
    except _RefusedError as error:
        last = str(error)
    except MemoryError:
        raise  # this process ends without a reason, as if calamine had aborted it
    except BaseException as error:  # noqa: BLE001 - a panic of calamine is no Exception
        cause = quoted(f"{type(error).__name__}: {error}")
        last = f"not a readable workbook: {cause}."
        file.seek(0)
        if type(error).__name__ == "PasswordError" or _ENCRYPTED in (content := file.read()):
            last = "encrypted; save it as XLSX without a password."
        elif content.startswith(_OFFICE):
            last = f"an old or an encrypted office file ({cause}); save it as XLSX without a password."
    send(last)


class SheetRows:
    """The rows of a sheet as they are sent, with what calamine does not tell.

    Args:
        details: The details of the sheet, or None if they are not known.
        visible_only: Whether hidden rows are emptied.
    """

    def __init__(self, details: Details | None, *, visible_only: bool) -> None:
        self._details = details
        self._visible_only = visible_only
        self._number = 0
        self._hidden = 0

    def read(self, rows: list[list[Any]]) -> list[list[Any]]:
        """Return the next rows, in which errors are marked, and numbers have the zeros that are shown."""
        if (details := self._details) is None:
            return rows
        for number, row in enumerate(rows, self._number + 1):
            for column, found in details.cells.get(number, {}).items():
                if column < len(row):
                    row[column] = _cell(row[column], found)
            if number in details.hidden_rows and any(cell != "" for cell in row):
                self._hidden += 1
                if self._visible_only:
                    row[:] = [""] * len(row)
        self._number += len(rows)
        return rows

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know about the sheet."""
        if self._details is None:
            return (_NO_DETAILS,)
        notes = []
        if self._hidden:
            what = "passed over" if self._visible_only else "read like the others; --visible-only passes over them"
            notes.append(f"hidden or filtered rows: {self._hidden}, {what}")
        for shown, count in self._details.formats.most_common(_MAX_FORMATS):
            notes.append(
                f"numbers that are shown as {quoted(shown, 60)}, but are read without what the format adds: {count}"
            )
        return tuple(notes)


def _cell(value: Any, found: str | int) -> Any:
    """Return a cell, given its error or the number of its digits."""
    if isinstance(found, str):
        return CellError(found)
    if type(value) not in {int, float} or not abs(value) < INEXACT or value % 1:
        return value
    return str(int(value)).zfill(found)


def _read_xls(file: IO[bytes], sheet: str) -> Details | None:
    file.seek(0)
    try:
        return read_xls_details(file.read(), sheet)
    except (ValueError, LookupError, struct.error):  # calamine reads files of more kinds
        return None


def _check_parts(archive: zipfile.ZipFile) -> None:
    """Raise if the workbook is too big, or if a part differs from its checksum, which calamine may not compare."""
    if sum(part.file_size for part in archive.infolist()) > _MAX_BYTES:  # zipfile unpacks no more than these sizes
        raise _RefusedError(f"unpacks to more than {_MAX_BYTES} bytes; split it.")
    if (corrupt := archive.testzip()) is not None:
        raise _RefusedError(f"not a readable workbook: its part {quoted(corrupt, 60)} is corrupt.")


def _choose_sheet(book: CalamineWorkbook, asked: str | None) -> str:
    """Return the name of the sheet to read."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum  # noqa: PLC0415 - an extra

    if asked is not None:
        if asked not in book.sheet_names:
            listed = ", ".join(quoted(other, 60) for other in book.sheet_names)
            raise _RefusedError(f"there is no sheet {quoted(asked, 60)}; there are: {listed}.")
        return asked
    visible = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]
    if len(visible) > 1:
        visible = [other for other in visible if book.get_sheet_by_name(other).height] or visible[:1]
    if len(visible) != 1:
        listed = ", ".join(quoted(other, 60) for other in visible)
        raise _RefusedError(
            f"{len(visible)} visible sheets have cells{f': {listed}' if listed else ''}; "
            "name the one to read (--sheet; in Python: sheet=)."
        )
    return visible[0]


if __name__ == "__main__":
    main(sys.argv[1])
