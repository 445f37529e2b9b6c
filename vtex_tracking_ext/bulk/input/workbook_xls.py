"""What calamine does not tell of a sheet of an XLS file: see :mod:`.workbook_details`. Pure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.input.workbook_details import Details, number_format

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The errors of cells, by their codes.
_ERRORS: Final = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}

#: The kinds of records that are needed.
_FORMULA, _END, _DATE_MODE, _SHEET, _NUMBERS, _STYLE = 0x06, 0x0A, 0x22, 0x85, 0xBD, 0xE0
_NUMBER, _ERROR, _ROW, _RK, _FORMAT, _BEGIN = 0x203, 0x205, 0x208, 0x27E, 0x41E, 0x809

#: The first number that is no sector; and the shortest stream that is stored in sectors of its own.
_NO_SECTOR: Final = 0xFFFFFFFA
_MINIMUM: Final = 4096

_IS_HIDDEN: Final = 0x20
_NO_NUMBER: Final = b"\xff\xff"
_IS_ERROR: Final = 2


def read_xls_details(content: bytes, sheet: str) -> Details | None:
    """Return the details of a sheet, or None if they cannot be found.

    Raises:
        ValueError, LookupError, struct.error: It is not such a file, or it is damaged.
    """
    stream = _workbook_stream(content)
    formats: dict[int, str] = {}
    styles: list[str] = []
    sheets: dict[str, int] = {}
    is_1904 = False
    for kind, data in _records(stream, 0):
        if kind == _DATE_MODE:
            is_1904 = data[:1] == b"\1"
        elif kind == _SHEET:
            sheets.setdefault(_text(data[7:], data[6]), struct.unpack_from("<I", data)[0])
        elif kind == _FORMAT:
            number, length = struct.unpack_from("<HH", data)
            formats[number] = _text(data[4:], length)
        elif kind == _STYLE:
            styles.append(number_format(formats.get(struct.unpack_from("<2xH", data)[0], "")))
    if sheet not in sheets:
        return None
    details = Details(is_1904=is_1904)
    for kind, data in _records(stream, sheets[sheet]):
        _add_record(kind, data, styles, details)
    return details


def _add_record(kind: int, data: bytes, styles: list[str], details: Details) -> None:
    if kind == _ROW:
        row, flags = struct.unpack_from("<H10xH", data)
        if flags & _IS_HIDDEN:
            details.hidden_rows.add(row + 1)
    elif kind in {_ERROR, _FORMULA, _NUMBER, _RK, _NUMBERS}:
        row, column, style = struct.unpack_from("<HHH", data)
        if kind == _NUMBERS:  # several numbers of six bytes, each with its style
            for each, (style_of_each,) in enumerate(struct.iter_unpack("<H4x", data[4:-2]), column):
                details.add_number(row + 1, each, _style(styles, style_of_each))
        elif kind == _ERROR and data[7:8] == b"\1":
            details.cells[row + 1][column] = _ERRORS.get(data[6], "#")
        elif kind == _FORMULA and data[12:14] == _NO_NUMBER and data[6] == _IS_ERROR:
            details.cells[row + 1][column] = _ERRORS.get(data[8], "#")
        elif kind in {_NUMBER, _RK} or (kind == _FORMULA and data[12:14] != _NO_NUMBER):
            details.add_number(row + 1, column, _style(styles, style))


def _style(styles: list[str], number: int) -> str:
    return styles[number] if number < len(styles) else ""


def _text(data: bytes, length: int) -> str:
    """Return a text of so many characters, which begins with a flag for two bytes each."""
    is_wide = data[:1] == b"\1"
    return data[1 : 1 + length * (2 if is_wide else 1)].decode("utf-16-le" if is_wide else "latin-1", "replace")


def _records(stream: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    """Yield the records of one part of a stream, without those of charts in it."""
    depth = 0
    while position + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, position)
        data = stream[position + 4 : position + 4 + length]
        position += 4 + length
        depth += (kind == _BEGIN) - (kind == _END)
        if depth == 1:
            yield kind, data
        elif depth < 1:
            return


def _workbook_stream(content: bytes) -> bytes:
    """Return the stream of records in a compound file, or no bytes if it has none."""
    shift, directory, next_table = struct.unpack_from("<30xH16xI16xI", content)
    size = 1 << min(shift, 16)

    def sector(number: int) -> bytes:
        return content[(number + 1) * size : (number + 2) * size]

    tables = [*struct.unpack_from("<109I", content, 76)]
    while next_table < _NO_SECTOR and len(tables) < len(content):  # no circle
        *more, next_table = struct.unpack(f"<{size // 4}I", sector(next_table))
        tables += more
    following = [
        each for number in tables if number < _NO_SECTOR for (each,) in struct.iter_unpack("<I", sector(number))
    ]

    def chain(number: int) -> bytes:
        sectors: list[bytes] = []
        while number < len(following) and len(sectors) < len(following):
            sectors.append(sector(number))
            number = following[number]
        return b"".join(sectors)

    for name, name_length, start, length in struct.iter_unpack("<64sH50xIQ", chain(directory)):
        if name[: max(0, name_length - 2)].decode("utf-16-le", "replace") == "Workbook" and length >= _MINIMUM:
            return chain(start)[:length]
    return b""
