"""Read files of carriers' payloads, and recognise the source that a file comes from."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.input.rows import InputFileError

from .payload import MAX_DOCUMENT_BYTES, PayloadError
from .reader import read, recognise

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.input.source import Source

    from .codes import CarrierOptions
    from .event import Reading

#: Most bytes of a file. The limit of one document is lower: a file can contain many, one on each line.
MAX_FILE_BYTES: Final = 256 << 20

#: Bytes at the beginning of a file that are searched for the first document, before the whole file is read.
_HEAD: Final = 1 << 16

#: The first bytes of archives and workbooks, which only contain rows.
_BINARY: Final = re.compile(rb"PK\x03\x04|\xd0\xcf\x11\xe0|\x1f\x8b")
_EDI_OR_XML: Final = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s*<|000[^,;\t|]{70})")


def read_carrier_file(file: Source, source: str, options: CarrierOptions) -> Reading:
    """Read an open file.

    Args:
        file: The file.
        source: The name of the source.
        options: The merchant's settings for the source.

    Raises:
        InputFileError: The file is too big, or cannot be read as a whole.
        ConfigurationError: There is no such source.
    """
    file.file.seek(0)
    content = file.file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise InputFileError(f"{file.name}: {source}: more than {MAX_FILE_BYTES >> 20} MB; split it.")
    try:
        return read(source, content, options=options)
    except PayloadError as error:
        other = recognise_file(file)
        hint = f" Its shape is that of {other}." if other not in (None, source) else ""
        raise InputFileError(f"{file.name}:{error.line}: {error}.{hint}") from None


def recognise_file(file: Source) -> str | None:
    """Return the name of the only source whose shape the first document of an open file has, or None.

    A file of rows is not mistaken for a payload, because no source has the columns of a row. The file is left at its
    beginning.
    """
    file.file.seek(0)
    try:
        return _recognise_document(file)
    finally:
        file.file.seek(0)


def _recognise_document(file: Source) -> str | None:
    head = file.file.read(_HEAD)
    file.file.seek(0)
    if _BINARY.match(head):
        return None
    if _EDI_OR_XML.match(head):
        return recognise(file.file.read(MAX_DOCUMENT_BYTES))
    start = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n[")
    if not start.startswith("{") and b"\0" not in head[:4]:
        return None
    try:
        document, _ = json.JSONDecoder().raw_decode(start)
    except (ValueError, RecursionError):
        content = file.file.read(MAX_DOCUMENT_BYTES + 1)
        return recognise(content) if len(content) <= MAX_DOCUMENT_BYTES else None
    return recognise(document)
