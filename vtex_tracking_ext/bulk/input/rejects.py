"""Write the rows that cannot be sent in the form of their file, so that they can be corrected and pushed again."""

from __future__ import annotations

import csv
import filecmp
import json
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from .columns import LAYOUT, REASON, is_reason
from .csv_injection import MARK, escape_cell
from .dates import FORMATS_OF_ORDERS
from .disk import write_error
from .json_rows import DuplicateKeyError, parse_object
from .private_file import create_private
from .source import FORMATS, STDIN_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .rows import Dialect, Place, RawRow, RowProblem

#: The key that holds a line that is not a JSON object.
LINE = "line"

#: Options that say how a file is written, not how its values are to be read.
_OF_THE_FILE: Final = frozenset({"delimiter", "encoding", "header_row", "sheet", "visible_only"})

#: Separates the reasons of one row.
_SEPARATOR = " | "


def rejects_path(source: str, dialect: Dialect) -> Path:
    """Return the path of a file's rejects file: ``events.rejects.csv`` beside ``events.csv``.

    An extension that does not fit the layout is kept (``events.xlsx.rejects.csv``); for standard input the path is
    ``stdin.rejects.csv`` or ``stdin.rejects.jsonl`` in the current folder.
    """
    if source == STDIN_NAME:
        return Path(f"stdin.rejects.{dialect.format}")
    path = Path(source)
    if FORMATS.get(path.suffix.lower()) == dialect.format:
        return path.with_name(f"{path.stem}.rejects{path.suffix}")
    return path.with_name(f"{path.name}.rejects.{dialect.format}")


class RejectsFile:
    """The rows of one input file that cannot be sent, each once, with all of its problems.

    CSV has the input's delimiter and header, and a first column ``reason``. It comes first so that a row with surplus
    cells keeps them as they were, and still has the wrong number of cells when it is pushed again uncorrected. Cells
    that a spreadsheet would run are escaped, see :mod:`.csv_injection`; such a row must keep its reason until it is
    read again. A sheet's rows are written as CSV with commas.

    Rows of an input that is not UTF-8 are written in UTF-8 with a byte order mark, which spreadsheets open correctly:
    another encoding may not be recognised from a few of its rows.

    JSON lines have each object with a key ``reason``; a line that is not an object is written as text under ``line``.

    How a person said that the input is to be read stands behind the name of the column ``reason``, or under the key
    ``layout`` of each object (:func:`stored_layout`), so that the file can be pushed without options.

    Without such rows no file is written. No file is ever overwritten, because somebody may have begun to correct it:
    where one of the name exists, the new one is ``events.rejects-2.csv``, and so on, unless its content is the same.
    The file appears under its name when it is complete. Only its owner can read it.

    Use it as a context manager: the file is kept at the end of the block, and deleted if the block fails.

    Args:
        path: Its path; otherwise it is derived from the input's, see :func:`rejects_path`.
        folder: Its folder, which is created where needed; otherwise that of its path.

    Attributes:
        rows: How many rows it has.
    """

    def __init__(self, path: Path | None = None, folder: Path | None = None) -> None:
        self._path = path
        self._folder = folder
        self._dialect: Dialect | None = None
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
        assert self._dialect is not None  # noqa: S101 - of the rows in the file
        with self._write_errors(), self._file as body:
            published = self._write(body, self._dialect, self._path)
        self._file = None
        return published

    def drop(self) -> None:
        """Delete the unfinished file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
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
            file = self._file or self._open(place.source, raw.dialect)
            if raw.dialect != self._dialect:
                raise ValueError(f"{place} is a row of another file than those before it")
            if isinstance(raw.content, str):
                file.write(f"{_json_line(raw.content, reason)}\n")
                return
            cells = [escape_cell(cell) for cell in raw.content]
            if cells != list(raw.content):
                reason = f"{reason} {MARK}"
            _write_cells(file, raw.dialect, escape_cell(reason), cells)

    def _open(self, source: str, dialect: Dialect) -> IO[str]:
        self._dialect = dialect
        self._path = self._path or rejects_path(source, dialect)
        if self._folder is not None:
            self._path = self._folder / self._path.name
            self._folder.mkdir(exist_ok=True)
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogatepass", newline="")  # noqa: SIM115
        return self._file

    def _write(self, body: IO[str], dialect: Dialect, path: Path) -> Path:
        """Write the file, now that it is known how its rows are to be read, and return its path."""
        encoding = "utf-8" if dialect.encoding == "utf-8" else "utf-8-sig"
        options = json.dumps(_kept_options(dialect), ensure_ascii=False)
        has_options = options != "{}"
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        partial.unlink(missing_ok=True)
        try:
            # A lone surrogate is written as its JSON escape.
            with create_private(partial, encoding, "backslashreplace") as file:
                body.seek(0)
                if dialect.format == "csv":
                    name = escape_cell(f"{REASON} {options}") if has_options else REASON
                    _write_cells(file, dialect, name, [escape_cell(cell) for cell in dialect.header])
                end = f', "{LAYOUT}": {options}}}\n' if has_options and dialect.format == "jsonl" else ""
                file.writelines(line[: -len("}\n")] + end if end else line for line in body)
            return _publish(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _write_cells(file: IO[str], dialect: Dialect, reason: str, cells: Sequence[str]) -> None:
    others = [cell for number, cell in enumerate(cells) if number not in dialect.reasons]
    csv.writer(file, delimiter=dialect.delimiter).writerow([reason, *others])


def _json_line(line: str, reason: str) -> str:
    try:
        document = {key: value for key, value in parse_object(line).items() if key != LAYOUT and not is_reason(key)}
        return json.dumps({**document, REASON: reason}, ensure_ascii=False)
    except (ValueError, DuplicateKeyError, RecursionError):
        return json.dumps({LINE: line, REASON: reason}, ensure_ascii=False)


def _kept_options(dialect: Dialect) -> dict[str, Any]:
    """Return how rows are to be read, without what concerns the file that they were in."""
    options = {name: value for name, value in dialect.layout.to_options().items() if name not in _OF_THE_FILE}
    orders = {*dialect.day_orders.values()}
    if len(orders) == 1 and dialect.layout.date_format is None:
        options["date_format"] = FORMATS_OF_ORDERS[orders.pop()]
    return options


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
