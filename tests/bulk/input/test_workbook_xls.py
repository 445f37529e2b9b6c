"""Tests of what is read of the sheet of an XLS file besides its values."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest

from vtex_tracking_ext.bulk.input.workbook_xls import read_xls_details

from support.office_files import BEGIN, END, compound_file, record, xls


def formula(column: int, value: bytes) -> bytes:
    """Return a formula in the first row, in the style with nine digits, with its eight bytes of value."""
    return record(0x06, struct.pack("<HHH8s", 0, column, 2, value))


def test_errors_zeros_and_hidden_rows_are_found() -> None:
    """Errors, the digits of numbers in each kind of record, and hidden rows are found; charts in the sheet are not."""
    records = b"".join(
        [
            formula(3, b"\x02\0\x2a\0\0\0\xff\xff"),
            formula(4, b"\x03\0\0\0\0\0\xff\xff"),
            formula(5, struct.pack("<d", 7)),
            record(0x205, struct.pack("<HHHBB", 0, 6, 2, 1, 0)),  # a truth value
            record(0x27E, struct.pack("<HHHI", 0, 7, 2, 0)),
            record(0xBD, struct.pack("<HHHIHIH", 0, 8, 0, 0, 2, 0, 9)),
            record(0x203, struct.pack("<HHHd", 0, 10, 999, 7)),  # a style that there is not
            record(0x208, struct.pack("<HHHHHHHH", 4, 0, 9, 0, 0, 0, 0x20, 0)),
            record(0x208, struct.pack("<HHHHHHHH", 5, 0, 9, 0, 0, 0, 0x100, 0)),
            BEGIN + record(0x205, struct.pack("<HHHBB", 9, 9, 0, 7, 1)) + END,
        ]
    )
    found = read_xls_details(xls([("a", 7.0, None)], zeros=(1,), records=records), "A")
    assert found is not None
    assert found.cells == {1: {1: 9, 2: "#N/A", 3: "#N/A", 5: 9, 7: 9, 9: 9}}
    assert found.hidden_rows == {5}
    assert not found.is_1904


def test_calendar_is_found() -> None:
    """The workbook says whether it counts days from 1904."""
    found = read_xls_details(xls([], is_1904=True), "A")
    assert found is not None
    assert found.is_1904


def test_sheet_that_is_not_found_has_no_details() -> None:
    """Details are not known of a sheet that is not found, nor of another compound file or an earlier format."""
    assert read_xls_details(xls([]), "B") is None
    assert read_xls_details(compound_file("Book", b""), "A") is None


def test_large_file_is_read() -> None:
    """The table of the sectors of a large file is itself in several places."""
    content = bytearray(xls([(None,)]))
    table = content[512:1024]
    content[76:80] = b"\xff\xff\xff\xff"  # the table is not in the header, but in a sector that names its sectors
    content[68:72] = struct.pack("<I", len(content) // 512 - 1)
    content += struct.pack("<128I", 0, *[0xFFFFFFFF] * 126, 0xFFFFFFFE)
    assert content[512:1024] == table
    found = read_xls_details(bytes(content), "A")
    assert found is not None
    assert found.cells == {1: {0: "#N/A"}}


@pytest.mark.parametrize("at", [30, 44, 48, 68, 76, 512, 516, 1024 + 116, 1024 + 128 + 116, 1024 + 128 + 120, 1536])
@pytest.mark.parametrize("value", [b"\0\0\0\0", b"\1\0\0\0", b"\2\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\0\0"])
def test_damaged_file_ends(at: int, value: bytes) -> None:
    """A damaged file, also one whose sectors follow each other in a circle, is read to an end or raises an error."""
    content = bytearray(xls([("a", 7.0, None)]))
    content[at : at + 4] = value
    with suppress(ValueError, LookupError, struct.error):
        read_xls_details(bytes(content), "A")
