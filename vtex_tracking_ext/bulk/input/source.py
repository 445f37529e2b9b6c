"""A file opened for reading: its format, and its encoding told by looking through all of it."""

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

from .records import Encoding, Format, InputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The path that means standard input, and how messages name it.
STDIN: Final = "-"
STDIN_NAME: Final = "<stdin>"

#: What can be asked for; otherwise a file's encoding is told by its bytes.
ENCODINGS: Final = ("utf-8", "windows-1252")

_FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".tsv": "csv",
    ".xlsx": "xlsx",
}
_ZIP: Final = b"PK\x03\x04"
_UTF16: Final = "UTF-16; save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')."

#: How files begin that hold no text which can be read, and what to do with them.
_SIGNATURES: Final = {
    _ZIP: "an XLSX file or a ZIP archive; name an XLSX file .xlsx, unpack an archive.",
    b"\xd0\xcf\x11\xe0": "an old or an encrypted office file; save it as XLSX without a password, or as CSV UTF-8.",
    b"\x1f\x8b": "compressed with gzip; unpack it first.",
    b"%PDF": "a PDF file; ask for the events as CSV.",
    codecs.BOM_UTF16_LE: _UTF16,
    codecs.BOM_UTF16_BE: _UTF16,
}

#: Bytes that are looked at together; also the longest line, roughly: one of twice this length is refused.
_BLOCK: Final = 1 << 20


@frozen
class Source:
    """An open file.

    Attributes:
        name: How messages name it.
        file: Its bytes, from the first one; can be read more than once.
        format: Its format.
    """

    name: str
    file: IO[bytes]
    format: Format


def format_of(path: Path) -> Format:
    """Tell a file's format by its ending.

    Raises:
        InputFileError: By its ending it is none that can be read.
    """
    format = format_by_ending(path)  # noqa: A001 - what everybody calls it
    if format is None:
        raise InputFileError(
            f"{path}: the ending {quoted(path.suffix)} tells no format; rename it to one of {', '.join(_FORMATS)}, "
            "or say the format (--format; in Python: format=)."
        )
    return format


def format_by_ending(path: Path) -> Format | None:
    """Return the format that a file's ending tells, or None."""
    return _FORMATS.get(path.suffix.lower())


@contextmanager
def opened(path: Path | str, asked: Format | None = None) -> Iterator[Source]:
    """Open a file, or standard input where the path is ``-``.

    What can be read only once (standard input, a pipe) is first copied to a temporary file, to its end, because
    the encoding depends on every byte.

    Args:
        path: The file, or ``-``.
        asked: Its format; otherwise its ending tells, and of standard input the first byte: ``{`` for JSON lines,
            a ZIP signature for XLSX, else CSV.

    Raises:
        InputFileError: It cannot be read, or its format cannot be told; also where the reading itself fails.
    """
    is_stdin = str(path) == STDIN
    name = STDIN_NAME if is_stdin else str(path)
    if not is_stdin:
        asked = asked or format_of(Path(path))
    try:
        with ExitStack() as stack:
            file: IO[bytes] = _stdin() if is_stdin else stack.enter_context(Path(path).open("rb"))
            if is_stdin or not file.seekable():
                spool = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(file, spool)
                spool.seek(0)
                file = spool
            yield Source(name, file, asked or _sniffed(file))
    except OSError as error:
        raise InputFileError(f"{name}: cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise InputFileError(f"{name}: changed while it was being read ({error.reason}); run again.") from None


def _stdin() -> IO[bytes]:
    if sys.stdin is None:
        raise InputFileError(f"{STDIN_NAME}: there is no standard input; name a file.")
    return sys.stdin.buffer


def _sniffed(file: IO[bytes]) -> Format:
    head = file.read(_BLOCK)
    file.seek(0)
    if head.startswith(_ZIP):
        return "xlsx"
    return "jsonl" if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{") else "csv"


def encoding_of(source: Source, asked: str | None = None) -> Encoding:
    """Tell the encoding of a text file, from all of its bytes, before the first of its rows is read.

    The rule: a file is UTF-8 if every byte of it is. Otherwise it is Windows-1252 if every byte is, and if no
    accented letter in it is written as UTF-8 writes them. A file that has both kinds (one pasted behind the other)
    or neither is refused: each way of reading it would send wrong letters to shoppers. Since the whole file has
    been looked through, no row is decoded in another way than the one before it, wherever the first odd byte is.
    It costs one more reading of the file, of two for one in Windows-1252 (about a second per gigabyte), and the
    memory of one block.

    Args:
        source: The file; it is left at its beginning.
        asked: One of :data:`ENCODINGS`, to have it so or be refused.

    Returns:
        ``utf-8``, ``utf-8-sig`` (with a byte order mark) or ``windows-1252``.

    Raises:
        InputFileError: It is of another encoding, or no text at all, or has a line beyond all measure.
    """
    if asked not in {None, *ENCODINGS}:
        raise InputFileError(f"{source.name}: {quoted(asked)} is not one of {', '.join(ENCODINGS)}.")
    head = source.file.readline(_BLOCK)
    _refuse_binary(source.name, head)
    has_mark = head.startswith(codecs.BOM_UTF8)
    odd = None
    if asked != "windows-1252":
        odd = _first_undecodable(source, "utf-8")
        if odd is None:
            return "utf-8-sig" if has_mark else "utf-8"
        if asked or has_mark:
            why = "as was asked" if asked else "though it begins with the mark of UTF-8"
            raise InputFileError(f"{source.name}:{odd}: not UTF-8, {why}; save the file as UTF-8.")
    undefined = _first_undecodable(source, "windows-1252")
    if undefined is not None:
        either = "not" if asked else "neither UTF-8 nor"
        raise InputFileError(f"{source.name}:{undefined}: {either} Windows-1252; save the file as UTF-8.")
    if odd is not None:
        accented = _first_in_utf8(source)
        if accented is not None:
            raise InputFileError(
                f"{source.name}:{odd}: not UTF-8, but line {accented} has letters that are; save the file as UTF-8, "
                "or say which one it is (--encoding windows-1252; in Python: encoding=)."
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


def _first_undecodable(source: Source, encoding: str) -> int | None:
    """Return the line with the first byte that the encoding does not know, or None."""
    for number, block in _blocks(source):
        try:
            block.decode(encoding)
        except UnicodeDecodeError as error:
            return number + block.count(b"\n", 0, error.start)
    return None


def _first_in_utf8(source: Source) -> int | None:
    """Return the line of the first character beyond ASCII that is written as UTF-8 writes it, or None."""
    for number, block in _blocks(source):
        if not _has_utf8(block):
            continue
        return number + next(n for n, line in enumerate(block.split(b"\n")) if _has_utf8(line))
    return None


def _has_utf8(text: bytes) -> bool:
    return not text.decode("utf-8", "ignore").isascii()
