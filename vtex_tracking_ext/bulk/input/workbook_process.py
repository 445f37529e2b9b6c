"""Read a workbook's sheet in a process of its own, which :mod:`.workbooks` starts.

A workbook can end this process: calamine panics, or aborts the process if it cannot allocate memory. A workbook that
needs more memory or time than the process has is ended by the operating system. The caller's process goes on.

The module imports little, so that the process starts quickly.
"""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from contextlib import suppress
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

from vtex_tracking_ext.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from python_calamine import CalamineWorkbook

#: Some rows as lists of cells; or why the workbook is refused; or None after the last row.
Message: TypeAlias = list[list[Any]] | str | None

#: Most bytes that a workbook may unpack to.
_MAX_BYTES: Final = 2 << 30

#: Rows in one message.
_BATCH: Final = 1000


class _RefusedError(Exception):
    """The workbook is refused; the message says why."""


def main(arguments: str) -> None:
    """Write the rows of the workbook on standard input to standard output, each message pickled.

    Args:
        arguments: In JSON: the limits of :func:`limit_resources`, and the sheet or null.
    """
    memory, seconds, sheet = json.loads(arguments)
    limit_resources(memory, seconds)
    send_rows(sys.stdin.buffer, sheet, lambda message: pickle.dump(message, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL))
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


def send_rows(file: IO[bytes], sheet: str | None, send: Callable[[Message], object]) -> None:
    """Send the rows of a sheet, then None, or the reason why the workbook is refused.

    Args:
        file: The workbook.
        sheet: The sheet's name; otherwise it is the only visible one that has cells.
        send: Is called with each message.

    Raises:
        MemoryError: There is not enough memory.
    """
    last: Message = None
    try:
        import python_calamine as calamine  # noqa: PLC0415 - an extra

        _check_parts(file)
        with calamine.CalamineWorkbook.from_filelike(file) as book:
            lines = book.get_sheet_by_name(_choose_sheet(book, sheet)).iter_rows()
            while rows := list(islice(lines, _BATCH)):
                send(rows)
    except _RefusedError as error:
        last = str(error)
    except MemoryError:
        raise  # this process ends without a reason, as if calamine had aborted it
    except BaseException as error:  # noqa: BLE001 - a panic of calamine is no Exception
        last = f"not a readable XLSX file: {quoted(f'{type(error).__name__}: {error}')}."
    send(last)


def _check_parts(file: IO[bytes]) -> None:
    """Raise if the workbook is too big, or if a part differs from its checksum, which calamine may not compare."""
    with zipfile.ZipFile(file) as archive:
        if sum(part.file_size for part in archive.infolist()) > _MAX_BYTES:  # zipfile unpacks no more than these sizes
            raise _RefusedError(f"unpacks to more than {_MAX_BYTES} bytes; split it.")
        corrupt = archive.testzip()
    if corrupt is not None:
        raise _RefusedError(f"not a readable XLSX file: its part {quoted(corrupt, 60)} is corrupt.")
    file.seek(0)


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
