"""Open a file of events, unpack it if it is compressed, and tell its format from its first bytes."""

from __future__ import annotations

import codecs
import gzip
import os
import re
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from attrs import frozen

from vtex_tracking_ext.text import quoted

from .rows import Format, InputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The path that means standard input, and its name in messages.
STDIN: Final = "-"
STDIN_NAME: Final = "<stdin>"

#: File extensions that a rejects file of the format can keep.
FORMATS: Final[dict[str, Format]] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".tsv": "csv", ".txt": "csv"}

#: A file in an archive: ``events.zip:may.csv``.
_MEMBER: Final = re.compile(r"(.+\.zip)[:/](.+)", re.IGNORECASE)

_ZIP: Final = b"PK\x03\x04"
_GZIP: Final = b"\x1f\x8b"
_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

#: First bytes of files that cannot be read, and what to do with such a file.
_SIGNATURES: Final = {
    b"%PDF": "a PDF file; ask for the events as CSV.",
    b"7z\xbc\xaf": "compressed with 7-Zip; unpack it first.",
    b"Rar!": "compressed with RAR; unpack it first.",
    b"PAR1": "a Parquet file; write the rows as CSV, or pass them to push() in Python.",
}

#: Parts of a workbook that other archives do not have: of XLSX and XLSB, and of ODS.
_WORKBOOK_PARTS: Final = frozenset({"[Content_Types].xml", "content.xml"})

#: The first line of PROCEDA's EDI files of events (OCOREN): 000, sender and receiver, date, time, identification.
_OCOREN: Final = re.compile(rb"000[ -~\x80-\xff]{70}[0-9]{6}[0-9]{4}")

#: The first bytes that are searched for the format.
_HEAD: Final = 1 << 12

#: Most bytes that a compressed file may unpack to.
_MAX_BYTES: Final = 8 << 30

_UNPACK_ERRORS: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, gzip.BadGzipFile)


@frozen
class Source:
    """An open file.

    Attributes:
        name: Its name in messages.
        file: Its bytes, from the first one; can be read more than once.
        given_format: The format that the caller named, or None to recognise it.
    """

    name: str
    file: IO[bytes]
    given_format: Format | None = None

    @property
    def format(self) -> Format:
        """The format of the file: the one that the caller named, or the one that the first bytes have.

        Raises:
            InputFileError: The file is not a file of rows.
        """
        return self.given_format or _format_of(self.name, self.file)


@contextmanager
def open_source(path: Path | str, format: Format | None = None) -> Iterator[Source]:  # noqa: A002 - the usual name
    """Open a file, or standard input for the path ``-``.

    A file that is compressed with gzip is unpacked, and so is the only file of a ZIP archive, or the one that is named
    (``events.zip:may.csv``). What can be read only once (standard input, a pipe) is first copied to a temporary file,
    to its end, because the encoding depends on every byte.

    Args:
        path: The file, or ``-``.
        format: Its format; otherwise its first bytes decide.

    Raises:
        InputFileError: It cannot be read, or it was changed while it was being read.
    """
    is_stdin = str(path) == STDIN
    name = STDIN_NAME if is_stdin else str(path)
    if is_stdin and sys.stdin is None:
        raise InputFileError(f"{name}: there is no standard input; name a file.")
    member = None
    if not is_stdin and (found := _MEMBER.fullmatch(name)) and not Path(name).exists():
        path, member = found[1], found[2]
    try:
        with ExitStack() as stack:
            file: IO[bytes] = sys.stdin.buffer if is_stdin else stack.enter_context(Path(path).open("rb"))
            before = () if is_stdin else _version(file)
            if is_stdin or not file.seekable():
                file = _copy(stack, name, file)
            file = _unpacked(stack, name, file, member)
            yield Source(name, file, format)
            if not is_stdin and _version(Path(path)) != before:
                raise InputFileError(f"{name}: changed while it was being read; run again when it is complete.")
    except OSError as error:
        raise InputFileError(f"{name}: cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise InputFileError(f"{name}: changed while it was being read ({error.reason}); run again.") from None


def _version(file: IO[bytes] | Path) -> tuple[int, ...]:
    """Return what differs after a regular file was changed or replaced."""
    status = file.stat() if isinstance(file, Path) else os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _unpacked(stack: ExitStack, name: str, file: IO[bytes], member: str | None) -> IO[bytes]:
    """Return the bytes of the file in a compressed one; a workbook, or a file that is not compressed, as it is."""
    head = file.read(_HEAD)
    file.seek(0)
    try:
        if head.startswith(_GZIP):
            return _copy(stack, name, gzip.GzipFile(fileobj=file))
        if not head.startswith(_ZIP):
            return file
        archive = zipfile.ZipFile(file)
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        if member is None and _WORKBOOK_PARTS.intersection(names):
            file.seek(0)
            return file
        names = [each for each in names if not each.startswith("__MACOSX/")]
        if member is None and len(names) == 1:
            (member,) = names
        if member not in names:
            listed = ", ".join(quoted(each, 60) for each in names[:8]) or "none"
            what = "contains several files" if member is None else f"does not contain {quoted(member, 60)}"
            raise InputFileError(f"{name}: {what}; name one, such as FILE.zip:events.csv. Its files: {listed}.")
        return _copy(stack, name, stack.enter_context(archive.open(member)))
    except _UNPACK_ERRORS as error:
        raise InputFileError(f"{name}: cannot be unpacked: {error}.") from None


def _copy(stack: ExitStack, name: str, file: IO[bytes] | gzip.GzipFile) -> IO[bytes]:
    """Return a temporary copy of a file, which can be read more than once."""
    copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by the stack
    size = 0
    while chunk := file.read(shutil.COPY_BUFSIZE):  # type: ignore[attr-defined]
        size += len(chunk)
        if size > _MAX_BYTES:
            raise InputFileError(f"{name}: more than {_MAX_BYTES} bytes; split it.")
        copy.write(chunk)
    copy.seek(0)
    return copy


def _format_of(name: str, file: IO[bytes]) -> Format:
    """Return the format of a file from its first bytes."""
    head = file.read(_HEAD)
    file.seek(0)
    if head.startswith((_ZIP, _OFFICE)):
        return "xlsx"
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise InputFileError(f"{name}:1: {what}")
    if _OCOREN.match(head):
        raise InputFileError(f"{name}:1: an EDI file of PROCEDA (OCOREN), not rows; give --from ocoren.")
    # UTF-16 is ASCII with zero bytes, as far as the first characters tell the format.
    start = head.removeprefix(codecs.BOM_UTF8).lstrip(b"\xff\xfe").replace(b"\0", b"").lstrip()
    if start.startswith(b"<"):
        is_page = re.match(rb"(?i)<(?:!doctype html|html|table|meta|head|body)", start)
        kind = "a web page, whatever its name says" if is_page else "XML, and no payload of a known carrier"
        raise InputFileError(f"{name}:1: {kind}; open it in a spreadsheet, and save it as XLSX or CSV UTF-8.")
    if not start.startswith((b"[", b"{")):
        return "csv"
    first, line_break, _ = start.partition(b"\n")
    return "json" if start.startswith(b"[") or (line_break and not first.rstrip().endswith(b"}")) else "jsonl"
