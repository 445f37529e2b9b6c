"""Bad rows, written as the file they came from writes them, so that they can be mended and pushed again."""

from __future__ import annotations

import csv
import filecmp
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from vtex_tracking_ext.errors import ConfigurationError

from .columns import REASON, is_reason
from .csv_injection import MARK, safe
from .csv_jsonl import KeyTwiceError, object_of
from .source import STDIN_NAME, format_by_ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from .records import Layout, RawRow, RowProblem

#: Under this key stands a line that was no JSON object.
LINE = "line"

#: Between the reasons of one row.
_BETWEEN = " | "


def rejects_path(source: str, layout: Layout) -> Path:
    """Return where the bad rows of a file go: ``events.rejects.csv`` beside ``events.csv``.

    A file whose ending does not go with what is written keeps it (``events.xlsx.rejects.csv``); of standard input
    it is ``stdin.rejects.csv`` or ``stdin.rejects.jsonl`` in the current folder.
    """
    if source == STDIN_NAME:
        return Path(f"stdin.rejects.{layout.format}")
    path = Path(source)
    if format_by_ending(path) == layout.format:
        return path.with_name(f"{path.stem}.rejects{path.suffix}")
    return path.with_name(f"{path.name}.rejects.{layout.format}")


class RejectsFile:
    """The bad rows of one input file, each once, with all that is wrong with it.

    CSV has the input's delimiter, encoding and header, and a first column ``reason``. It comes first so that a row
    with too many or too few cells keeps them as they were, and is not taken for a whole one when it is pushed again
    unmended. Cells that a spreadsheet would run are made safe, see :mod:`.csv_injection`; such a
    row must keep its reason until it is read again. A sheet's rows are written as CSV with commas, in UTF-8 with a
    byte order mark, as spreadsheets like it.

    JSON lines have each object with a key ``reason``, or, where a line was no object, its text under ``line``.

    Nothing is written where there are no bad rows, and no file is ever overwritten, because somebody may have begun
    to mend it: where one of the name exists, the new one is ``events.rejects-2.csv``, and so on, unless its content
    is the same. The file appears under its name when it is whole.

    Use it as a context manager: the file is kept at the end of the block, and dropped if the block fails.

    Args:
        path: Its name; otherwise it is made of the input's, see :func:`rejects_path`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._layout: Layout | None = None
        self._waiting: RowProblem | None = None
        self._reasons: list[str] = []
        self._partial: Path | None = None
        self._file: IO[str] | None = None
        #: How many rows it has.
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.drop()

    def add(self, problem: RowProblem) -> None:
        """Take in a problem; those of one row must come one after the other.

        Raises:
            ValueError: The problem does not bring its row, or the row is of another file.
            ConfigurationError: The file cannot be written.
        """
        if problem.raw is None:
            raise ValueError(f"{problem} (it comes without its row, which cannot be written then)")
        if self._waiting is None or self._waiting.raw is not problem.raw:
            self._flush()
            self._waiting = problem
            self.rows += 1
        self._reasons.append(problem.reason)

    def close(self) -> Path | None:
        """Finish the file and return where it is, or None where there were no bad rows.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        self._flush()
        if self._file is None or self._partial is None or self._path is None:
            return None
        with self._told():
            self._file.close()
            kept = _published(self._partial, self._path)
        self._file = None
        return kept

    def drop(self) -> None:
        """Leave no file."""
        if self._file is not None and self._partial is not None:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._partial.unlink()
            self._file = None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.drop()
            raise ConfigurationError(f"{self._path}: cannot be written: {error.strerror or error}.") from None

    def _flush(self) -> None:
        """Write the row whose problems have been coming in."""
        problem, reasons = self._waiting, self._reasons
        self._waiting, self._reasons = None, []
        if problem is None or problem.raw is None:
            return
        raw = problem.raw
        with self._told():
            file = self._opened(problem.place.source, raw.layout) if self._file is None else self._file
            if raw.layout != self._layout:
                raise ValueError(f"{problem.place} is a row of another file than those before it")
            self._write(file, raw, _BETWEEN.join(reasons))

    def _opened(self, source: str, layout: Layout) -> IO[str]:
        self._layout = layout
        self._path = self._path or rejects_path(source, layout)
        self._partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        self._partial.unlink(missing_ok=True)
        # Only a reason can hold what the encoding lacks: the cells came in it.
        self._file = self._partial.open("x", encoding=layout.encoding, errors="backslashreplace", newline="")
        if layout.format == "csv":
            self._write_cells(self._file, layout, REASON, [safe(cell) for cell in layout.header])
        return self._file

    @staticmethod
    def _write_cells(file: IO[str], layout: Layout, reason: str, cells: Sequence[str]) -> None:
        others = [cell for number, cell in enumerate(cells) if number not in layout.reasons]
        csv.writer(file, delimiter=layout.delimiter).writerow([reason, *others])

    def _write(self, file: IO[str], raw: RawRow, reason: str) -> None:
        if isinstance(raw.content, str):
            file.write(f"{_json_line(raw.content, reason)}\n")
            return
        cells = [safe(cell) for cell in raw.content]
        marked = f"{reason} {MARK}" if cells != list(raw.content) else reason
        self._write_cells(file, raw.layout, safe(marked), cells)


def _json_line(line: str, reason: str) -> str:
    try:
        document = {key: value for key, value in object_of(line).items() if not is_reason(key)}
        return _dumped({**document, REASON: reason})
    except (ValueError, KeyTwiceError, RecursionError):
        return _dumped({LINE: line, REASON: reason})


def _dumped(document: dict[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair, which JSON can name and UTF-8 cannot
        return json.dumps(document)
    return text


def _published(partial: Path, path: Path) -> Path:
    """Give a whole file its name, or another one where that is taken, and return it."""
    name, number = path, 1
    while True:
        try:
            name.open("x").close()
        except FileExistsError:
            if filecmp.cmp(partial, name, shallow=False):
                partial.unlink()
                return name
            number += 1
            name = path.with_name(f"{path.stem}-{number}{path.suffix}")
        else:
            return partial.replace(name)
