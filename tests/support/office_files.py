"""Small files of older office programs, made by hand: XLS, XLSB, ODS, and an encrypted workbook."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Final

_SECTOR: Final = 512
_MINIMUM: Final = 4096  # a shorter stream is stored in another way
_END: Final = 0xFFFFFFFE
_FREE: Final = 0xFFFFFFFF


def compound_file(name: str, stream: bytes) -> bytes:
    """Return a compound file (the container of XLS and of encrypted workbooks) with one stream."""
    stream = stream.ljust(_MINIMUM, b"\0")
    count = -(-len(stream) // _SECTOR)
    stream = stream.ljust(count * _SECTOR, b"\0")
    chain = [0xFFFFFFFD, _END, *range(3, count + 2), _END]  # the table itself, the directory, the stream
    assert len(chain) <= _SECTOR // 4, "one sector holds the table"
    table = struct.pack("<128I", *chain, *[_FREE] * (128 - len(chain)))
    directory = (
        _entry("Root Entry", 5, 1, _END, 0)
        + _entry(name, 2, _FREE, 2, len(stream))
        + _entry("", 0, _FREE, 0, 0) * 2
    )  # fmt: skip
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        *(0x3E, 3, 0xFFFE, 9, 6),
        *(0, 1, 1, 0, _MINIMUM, _END, 0, _END, 0, 0),
    )
    return header + struct.pack("<108I", *[_FREE] * 108) + table + directory + stream


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    encoded = f"{name}\0".encode("utf-16-le") if name else b""
    return struct.pack(
        "<64sHBBIII16x4x8x8xIQ", encoded, len(encoded), kind, 1, _FREE, _FREE, child, start, size
    )  # fmt: skip


def encrypted_workbook() -> bytes:
    """Return an XLSX file that is protected by a password, without its content."""
    return compound_file("EncryptedPackage", b"")


def record(kind: int, content: bytes = b"") -> bytes:
    """Return a record of an XLS file."""
    return struct.pack("<HH", kind, len(content)) + content


#: The records with which a part of an XLS file begins and ends.
BEGIN: Final = record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 6))
END: Final = record(0x0A)


def xls(
    rows: list[tuple[str | float | None, ...]],
    *,
    dates: tuple[int, ...] = (),
    zeros: tuple[int, ...] = (),
    records: bytes = b"",
    is_1904: bool = False,
) -> bytes:
    """Return an XLS file with a sheet A of texts and numbers; None is an error.

    Args:
        rows: The rows.
        dates: Columns whose numbers are dates.
        zeros: Columns whose numbers are shown with nine digits.
        records: More records of the sheet.
        is_1904: Whether days are counted from 1904.
    """
    sheet = BEGIN
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            place = struct.pack("<HHH", number, column, (column in dates) + 2 * (column in zeros))
            if value is None:
                sheet += record(0x205, place + b"\x2a\x01")
            elif isinstance(value, str):
                sheet += record(0x204, place + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
            else:
                sheet += record(0x203, place + struct.pack("<d", value))
    start = BEGIN + record(0x22, struct.pack("<H", is_1904)) + record(0x41E, struct.pack("<HHB9s", 164, 9, 0, b"0" * 9))
    start += b"".join(record(0xE0, struct.pack("<HH16x", 0, each)) for each in (0, 22, 164))
    position = len(start) + len(record(0x85, bytes(9))) + len(END)
    book = start + record(0x85, struct.pack("<IBBBBc", position, 0, 0, 1, 0, b"A")) + END
    return compound_file("Workbook", book + sheet + records + END)


def ods(sheets: dict[str, str]) -> bytes:
    """Return an ODS file with sheets that have such rows."""
    spaces = {
        **{each: f"urn:oasis:names:tc:opendocument:xmlns:{each}:1.0" for each in ("office", "table", "text")},
        "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }
    names = " ".join(f'xmlns:{each}="{space}"' for each, space in spaces.items())
    tables = "".join(f'<table:table table:name="{name}">{rows}</table:table>' for name, rows in sheets.items())
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", f"<office:document-content {names}>{body}</office:document-content>")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return file.getvalue()
