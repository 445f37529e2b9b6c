"""Open a file of events, and detect its format and its encoding; the encoding depends on all of its bytes."""

from __future__ import annotations

import codecs
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from attrs import frozen

from vtex_tracking_ext.text import quoted

from .rows import Encoding, Format, InputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The path that means standard input, and its name in messages.
STDIN: Final = "-"
STDIN_NAME: Final = "<stdin>"

#: The encodings that can be asked for.
ENCODINGS: Final = ("utf-8", "windows-1252")

#: The format of each file extension.
FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".tsv": "csv",
    ".xlsx": "xlsx",
}
_ZIP: Final = b"PK\x03\x04"
_UTF16: Final = "UTF-16; save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')."

#: First bytes of files that cannot be read as text, and what to do with such a file.
_SIGNATURES: Final = {
    _ZIP: "an XLSX file or a ZIP archive; name an XLSX file .xlsx, unpack an archive.",
    b"\xd0\xcf\x11\xe0": "an old or an encrypted office file; save it as XLSX without a password, or as CSV UTF-8.",
    b"\x1f\x8b": "compressed with gzip; unpack it first.",
    b"%PDF": "a PDF file; ask for the events as CSV.",
    codecs.BOM_UTF16_LE: _UTF16,
    codecs.BOM_UTF16_BE: _UTF16,
}

#: Bytes that are read at once; also the longest line, roughly: a line of twice this length is refused.
_BLOCK: Final = 1 << 20


@frozen
class Source:
    """An open file.

    Attributes:
        name: Its name in messages.
        file: Its bytes, from the first one; can be read more than once.
        format: Its format.
    """

    name: str
    file: IO[bytes]
    format: Format


@contextmanager
def open_source(path: Path | str, format: Format | None = None) -> Iterator[Source]:  # noqa: A002 - the usual name
    """Open a file, or standard input for the path ``-``.

    A source that can be read only once (standard input, a pipe) is first copied to a temporary file, to its end,
    because the encoding depends on every byte.

    Args:
        path: The file, or ``-``.
        format: Its format; otherwise its extension decides, or for standard input the first byte: ``{`` for JSON
            lines, a ZIP signature for XLSX, else CSV.

    Raises:
        InputFileError: It cannot be read, or its format is unknown; also where reading fails later.
    """
    is_stdin = str(path) == STDIN
    name = STDIN_NAME if is_stdin else str(path)
    if not is_stdin:
        format = format or _format_of(Path(path))  # noqa: A001 - the usual name
    elif sys.stdin is None:
        raise InputFileError(f"{name}: there is no standard input; name a file.")
    try:
        with ExitStack() as stack:
            file: IO[bytes] = sys.stdin.buffer if is_stdin else stack.enter_context(Path(path).open("rb"))
            if is_stdin or not file.seekable():
                spool = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(file, spool)
                spool.seek(0)
                file = spool
            yield Source(name, file, format or _detect_format(file))
    except OSError as error:
        raise InputFileError(f"{name}: cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise InputFileError(f"{name}: changed while it was being read ({error.reason}); run again.") from None


def _format_of(path: Path) -> Format:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise InputFileError(
            f"{path}: the extension {quoted(path.suffix)} does not tell the format; unpack a compressed "
            f"file, rename the file to one of {', '.join(FORMATS)}, or name the format (--format; in Python: format=)."
        ) from None


def _detect_format(file: IO[bytes]) -> Format:
    head = file.read(_BLOCK)
    file.seek(0)
    if head.startswith(_ZIP):
        return "xlsx"
    return "jsonl" if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{") else "csv"


def detect_encoding(source: Source, encoding: str | None = None) -> Encoding:
    """Return the encoding of a text file, from all of its bytes, before the first of its rows is read.

    A file is UTF-8 if every byte of it is. Otherwise it is Windows-1252 if every byte is, and if it has no accented
    letter in UTF-8. A file with both (one appended to the other) or neither is refused: either way of reading it would
    send wrong letters to shoppers. Because the whole file is checked first, all rows are decoded alike, wherever the
    first byte that is not UTF-8 is. The cost is one more reading of the file, or two for a file in Windows-1252 (about
    a second per gigabyte), and the memory of one block.

    Args:
        source: The file; it is left at its beginning.
        encoding: One of :data:`ENCODINGS`, to require it.

    Returns:
        ``utf-8``, ``utf-8-sig`` (with a byte order mark) or ``windows-1252``.

    Raises:
        InputFileError: It is in another encoding, is not text, or has a line that is too long.
    """
    if encoding not in {None, *ENCODINGS}:
        raise InputFileError(f"{source.name}: {quoted(encoding)} is not one of {', '.join(ENCODINGS)}.")
    head = source.file.readline(_BLOCK)
    _refuse_binary(source.name, head)
    has_mark = head.startswith(codecs.BOM_UTF8)
    not_utf8 = None
    if encoding != "windows-1252":
        not_utf8 = _undecodable_line(source, "utf-8")
        if not_utf8 is None:
            return "utf-8-sig" if has_mark else "utf-8"
        if encoding or has_mark:
            why = "which was asked for" if encoding else "though it begins with the byte order mark of UTF-8"
            raise InputFileError(f"{source.name}:{not_utf8}: not UTF-8, {why}; save the file as UTF-8.")
    undefined = _undecodable_line(source, "windows-1252")
    if undefined is not None:
        either = "not" if encoding else "neither UTF-8 nor"
        raise InputFileError(f"{source.name}:{undefined}: {either} Windows-1252; save the file as UTF-8.")
    if not_utf8 is not None:
        utf8 = _utf8_line(source)
        if utf8 is not None:
            raise InputFileError(
                f"{source.name}:{not_utf8}: not UTF-8, but line {utf8} contains UTF-8; save the file as UTF-8, or name "
                "its encoding (--encoding windows-1252; in Python: encoding=)."
            )
    return "windows-1252"


def _refuse_binary(name: str, head: bytes) -> None:
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise InputFileError(f"{name}:1: {what}")
    if b"\0" in head:
        is_utf16 = b"\0" in head[:2] and head[:2] != b"\0\0"
        raise InputFileError(f"{name}:1: {_UTF16 if is_utf16 else 'binary, not text; give CSV or JSON lines.'}")


def _blocks(source: Source) -> Iterator[tuple[int, bytes]]:
    """Yield the file in blocks of whole lines, each with the number of its first line; leave it at its beginning."""
    source.file.seek(0)
    number = 1
    while block := source.file.read(_BLOCK):
        rest = source.file.readline(_BLOCK)
        if len(rest) == _BLOCK and not rest.endswith(b"\n"):
            line = number + block.count(b"\n")
            raise InputFileError(f"{source.name}:{line}: a line of more than {_BLOCK} bytes; is it a file of events?")
        block += rest
        yield number, block
        number += block.count(b"\n")
    source.file.seek(0)


def _undecodable_line(source: Source, encoding: str) -> int | None:
    """Return the first line with a byte that the encoding does not define, or None."""
    for number, block in _blocks(source):
        try:
            block.decode(encoding)
        except UnicodeDecodeError as error:
            return number + block.count(b"\n", 0, error.start)
    return None


def _utf8_line(source: Source) -> int | None:
    """Return the first line with a character beyond ASCII in UTF-8, or None."""
    for number, block in _blocks(source):
        if _has_utf8(block):
            return number + next(index for index, line in enumerate(block.split(b"\n")) if _has_utf8(line))
    return None


def _has_utf8(text: bytes) -> bool:
    return not text.decode("utf-8", "ignore").isascii()
