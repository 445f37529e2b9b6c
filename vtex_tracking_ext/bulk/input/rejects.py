"""Write the rows that cannot be sent in the form of their file, so that they can be corrected and pushed again."""

from __future__ import annotations

import csv
import filecmp
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from .columns import REASON, is_reason
from .csv_injection import MARK, escape_cell
from .csv_jsonl import DuplicateKeyError, parse_object
from .disk import write_error
from .private_file import create_private
from .source import FORMATS, STDIN_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .rows import Layout, Place, RawRow, RowProblem

#: The key that holds a line that is not a JSON object.
LINE = "line"

#: Separates the reasons of one row.
_SEPARATOR = " | "


def rejects_path(source: str, layout: Layout) -> Path:
    """Return the path of a file's rejects file: ``events.rejects.csv`` beside ``events.csv``.

    An extension that does not fit the layout is kept (``events.xlsx.rejects.csv``); for standard input the path is
    ``stdin.rejects.csv`` or ``stdin.rejects.jsonl`` in the current folder.
    """
    if source == STDIN_NAME:
        return Path(f"stdin.rejects.{layout.format}")
    path = Path(source)
    if FORMATS.get(path.suffix.lower()) == layout.format:
        return path.with_name(f"{path.stem}.rejects{path.suffix}")
    return path.with_name(f"{path.name}.rejects.{layout.format}")


class RejectsFile:
    """The rows of one input file that cannot be sent, each once, with all of its problems.

    CSV has the input's delimiter, encoding and header, and a first column ``reason``. It comes first so that a row with
    missing or surplus cells keeps them as they were, and still has the wrong number of cells when it is pushed again
    uncorrected. Cells that a spreadsheet would run are escaped, see :mod:`.csv_injection`; such a row must keep its
    reason until it is read again. A sheet's rows are written as CSV with commas, in UTF-8 with a byte order mark, which
    spreadsheets open correctly.

    JSON lines have each object with a key ``reason``; a line that is not an object is written as text under ``line``.

    Without such rows no file is written. No file is ever overwritten, because somebody may have begun to correct it:
    where one of the name exists, the new one is ``events.rejects-2.csv``, and so on, unless its content is the same.
    The file appears under its name when it is complete. Only its owner can read it.

    Use it as a context manager: the file is kept at the end of the block, and deleted if the block fails.

    Args:
        path: Its path; otherwise it is derived from the input's, see :func:`rejects_path`.

    Attributes:
        rows: How many rows it has.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._layout: Layout | None = None
        self._row: tuple[Place, RawRow] | None = None
        self._reasons: list[str] = []
        self._file: IO[str] | None = None
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.drop()

    def add(self, problem: RowProblem) -> None:
        """Add a problem; those of one row must come one after the other.

        Raises:
            ValueError: The problem does not contain its row, or the row is from another file.
            ConfigurationError: The file cannot be written.
        """
        if problem.raw is None:
            raise ValueError(f"{problem} (the problem does not contain its row)")
        if self._row is None or self._row[1] is not problem.raw:
            self._flush()
            self._row = problem.place, problem.raw
            self.rows += 1
        self._reasons.append(problem.reason)

    def close(self) -> Path | None:
        """Finish the file and return its path, or None where there were no rows.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        self._flush()
        if self._file is None or self._path is None:
            return None
        with self._write_errors():
            self._file.close()
            published = _publish(Path(self._file.name), self._path)
        self._file = None
        return published

    def drop(self) -> None:
        """Delete the unfinished file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                Path(self._file.name).unlink()
            self._file = None

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        """Delete the file and raise ConfigurationError, or DiskError, when writing fails."""
        try:
            yield
        except OSError as error:
            self.drop()
            reason = f"{error.strerror or error}. Fix that, or write it elsewhere (--rejects), and run again."
            raise write_error(f"{self._path}: cannot be written: {reason}", error) from None

    def _flush(self) -> None:
        """Write the row whose problems were added last."""
        if self._row is None:
            return
        (place, raw), reason = self._row, _SEPARATOR.join(self._reasons)
        self._row, self._reasons = None, []
        with self._write_errors():
            file = self._file or self._open(place.source, raw.layout)
            if raw.layout != self._layout:
                raise ValueError(f"{place} is a row of another file than those before it")
            if isinstance(raw.content, str):
                file.write(f"{_json_line(raw.content, reason)}\n")
                return
            cells = [escape_cell(cell) for cell in raw.content]
            if cells != list(raw.content):
                reason = f"{reason} {MARK}"
            _write_cells(file, raw.layout, escape_cell(reason), cells)

    def _open(self, source: str, layout: Layout) -> IO[str]:
        self._layout = layout
        self._path = self._path or rejects_path(source, layout)
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        partial.unlink(missing_ok=True)
        # Escapes characters of a reason that the encoding lacks; for a lone surrogate the result is its JSON escape.
        self._file = create_private(partial, layout.encoding, "backslashreplace")
        if layout.format == "csv":
            _write_cells(self._file, layout, REASON, [escape_cell(cell) for cell in layout.header])
        return self._file


def _write_cells(file: IO[str], layout: Layout, reason: str, cells: Sequence[str]) -> None:
    others = [cell for number, cell in enumerate(cells) if number not in layout.reasons]
    csv.writer(file, delimiter=layout.delimiter).writerow([reason, *others])


def _json_line(line: str, reason: str) -> str:
    try:
        document = {key: value for key, value in parse_object(line).items() if not is_reason(key)}
        return json.dumps({**document, REASON: reason}, ensure_ascii=False)
    except (ValueError, DuplicateKeyError, RecursionError):
        return json.dumps({LINE: line, REASON: reason}, ensure_ascii=False)


def _publish(partial: Path, path: Path) -> Path:
    """Rename a complete file to its path, or to another one where that is taken, and return it."""
    name, number = path, 1
    while True:
        try:
            create_private(name).close()
        except FileExistsError:
            if filecmp.cmp(partial, name, shallow=False):
                partial.unlink()
                return name
            number += 1
            name = path.with_name(f"{path.stem}-{number}{path.suffix}")
        else:
            return partial.replace(name)
