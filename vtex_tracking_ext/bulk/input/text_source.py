"""Decode a text file; the encoding depends on all of its bytes."""

from __future__ import annotations

import codecs
import io
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from attrs import frozen

from vtex_tracking_ext.text import quoted

from .encodings import WORD, is_clear, readings
from .rows import InputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .source import Source

#: Bytes that are read at once; also the longest line, roughly: a line of twice this length is refused.
_BLOCK: Final = 1 << 20

#: Most different words that are compared, and most that a message shows.
_MAX_WORDS: Final = 5_000
_MAX_SHOWN: Final = 3

_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@frozen
class TextSource:
    """A text file.

    Attributes:
        name: Its name in messages.
        encoding: Its encoding, as Python names it.
        is_certain: Whether the encoding is named, or follows from the bytes; otherwise it was chosen by how words read.
    """

    name: str
    encoding: str
    _file: IO[bytes]
    is_certain: bool = True
    _start: int = 0

    @contextmanager
    def open(self, newline: str = "") -> Iterator[io.TextIOWrapper]:
        r"""Return the text from its beginning, with line breaks as they are; other readers are not disturbed.

        Args:
            newline: The characters that end a line; by default any of ``\n``, ``\r`` and ``\r\n``.
        """
        position = self._file.tell()
        self._file.seek(self._start)
        text = io.TextIOWrapper(self._file, encoding=self.encoding, newline=newline)
        try:
            yield text
        finally:
            text.detach()
            self._file.seek(position)


def text_source(source: Source, asked: str | None = None) -> TextSource:
    """Return a text file with its encoding, from all of its bytes, before the first of its rows is read.

    A file is UTF-16 if it begins with that byte order mark, or if every second byte is zero; UTF-8 if every byte of it
    is; otherwise one of :data:`~.encodings.CANDIDATES`, the only one in which its words read well. Because the whole
    file is read first, all rows are decoded alike. The cost is one more reading of the file, or two if it is not UTF-8
    (about a second per gigabyte).

    Args:
        source: The file.
        asked: The encoding, if it is known.

    Raises:
        InputFileError: The file is not in the encoding that was asked for; or the encoding cannot be told, and the
            message shows how words would read; or it is not text, or has a line that is too long.
    """
    file, name = source.file, source.name
    head = file.read(_BLOCK)
    has_mark = head.startswith(codecs.BOM_UTF8)
    if asked is not None:
        codec = codecs.lookup(asked).name
        codec = "utf-8-sig" if codec == "utf-8" and has_mark else codec
        return _checked(source, codec, f"not {asked}, which was asked for; name another encoding, or none.")
    utf16 = next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), None)
    if utf16 is None and b"\0" in head[: 1 << 10]:
        utf16 = _utf16_without_mark(name, head)
    if utf16 is not None:
        return _checked(source, utf16, "not UTF-16, although the file begins like it; save it as UTF-8.")
    not_utf8 = _undecodable_line(source, "utf-8")
    if not_utf8 is None:
        return TextSource(name, "utf-8-sig" if has_mark else "utf-8", file)
    utf8 = _utf8_line(source)
    if utf8 is not None:
        raise InputFileError(
            f"{name}:{not_utf8}: not UTF-8, but line {utf8} contains UTF-8; save the file as UTF-8, or name its "
            "encoding (--encoding windows-1252; in Python: encoding=)."
        )
    encoding = _recognised(source, not_utf8)
    return TextSource(name, encoding, file, is_certain=False, start=len(codecs.BOM_UTF8) if has_mark else 0)


def _checked(source: Source, encoding: str, message: str) -> TextSource:
    """Return a text in an encoding, if all of it can be decoded; otherwise raise an error with its line."""
    decoder = codecs.getincrementaldecoder(encoding)()
    number, is_over = 1, False
    source.file.seek(0)
    try:
        while not is_over:
            block = source.file.read(_BLOCK)
            is_over = not block
            number += decoder.decode(block, is_over).count("\n")
    except UnicodeError as error:  # UTF-16 without a byte order mark has no position
        if isinstance(error, UnicodeDecodeError):
            number += error.object[: error.start].decode(encoding, "ignore").count("\n")
        raise InputFileError(f"{source.name}:{number}: {message}") from None
    source.file.seek(0)
    return TextSource(source.name, encoding, source.file)


def _utf16_without_mark(name: str, head: bytes) -> str:
    """Return the byte order of UTF-16 without a mark, in which each ASCII character has a zero byte on one side."""
    zeros = [head[start::2].count(0) / max(1, len(head[start::2])) for start in (0, 1)]
    for zero, other, encoding in ((0, 1, "utf-16-be"), (1, 0, "utf-16-le")):
        if zeros[zero] > 0.5 and not zeros[other]:  # noqa: PLR2004 - half of the characters
            return encoding
    raise InputFileError(f"{name}:1: binary, not text; give CSV, JSON lines, JSON or a workbook.")


def _recognised(source: Source, line: int) -> str:
    """Return the encoding in which the words beyond ASCII read well.

    Args:
        source: The file.
        line: Its first line that is not UTF-8, for the message.
    """
    words: dict[bytes, None] = {}
    used = set[int]()
    for number, block in _blocks(source):
        block = block.removeprefix(codecs.BOM_UTF8) if number == 1 else block  # noqa: PLW2901 - without the mark
        used |= {*block}
        if len(words) < _MAX_WORDS:
            words |= dict.fromkeys(WORD.findall(block))
    found = readings([*words], bytes(used))
    if found and is_clear(found[0], found[1:]):
        return found[0].encoding
    shown = "; ".join(f"{reading.encoding}: {_shown(reading.words)}" for reading in found[:4])
    raise InputFileError(
        f"{source.name}:{line}: not UTF-8, and the encoding cannot be told. Name the one in which the words read well "
        f"(--encoding; in Python: encoding=), or save the file as UTF-8. {shown or 'No encoding fits.'}"
    )


def _shown(words: tuple[str, ...]) -> str:
    return ", ".join(quoted(word, 30) for word in words[:_MAX_SHOWN])


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
    """Return the first line with a letter beyond ASCII in UTF-8, or None."""
    for number, block in _blocks(source):
        if _has_utf8(block):
            return number + next(index for index, line in enumerate(block.split(b"\n")) if _has_utf8(line))
    return None


def _has_utf8(text: bytes) -> bool:
    return not text.replace(codecs.BOM_UTF8, b"").decode("utf-8", "ignore").isascii()
