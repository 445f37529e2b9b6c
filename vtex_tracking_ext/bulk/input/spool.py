"""Hold the rows of an input until all of it was read, and recognise an input that lists its newest events first."""

from __future__ import annotations

import pickle
import tempfile
from typing import TYPE_CHECKING, Final, Self

from vtex_tracking_ext.call.validation import format_event_date
from vtex_tracking_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .rows import Place, Row

#: Rows that are held as they are. More are pickled, a batch of this size at a time.
_BATCH: Final = 10_000

#: Bytes of pickled rows that are held in memory. With more, all of them are written to a temporary file.
_MEMORY: Final = 1 << 20

#: Most packages whose days are compared. They are enough to tell how an input is ordered, and bound the memory.
_MAX_PACKAGES: Final = 100_000


class RowSpool:
    """The rows of one input, in memory while they are few, otherwise in a temporary file.

    Use it as a context manager: the file is deleted at the end of the block.

    Attributes:
        first_place: The place of the first row, or None without rows.
    """

    def __init__(self) -> None:
        self.first_place: Place | None = None
        self._batch: list[Row] = []
        self._file = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - closed by __exit__
        self._offsets: list[int] = []
        self._days: dict[int, str] = {}
        self._has_fallen = self._has_risen = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def is_newest_first(self) -> bool:
        """Whether the days of a package's events fall from row to row, in at least one package, and rise in none."""
        return self._has_fallen and not self._has_risen

    def add(self, row: Row) -> None:
        """Add a row.

        Raises:
            ConfigurationError: The temporary file cannot be written.
        """
        self.first_place = self.first_place or row.place
        if len(self._batch) == _BATCH:
            self._write_batch()
        self._batch.append(row)
        if row.event is not None and not self._has_risen:
            package = hash((row.account, row.order_id, row.invoice_number))
            self._compare_days(package, format_event_date(row.event.date))

    def rows(self) -> Iterator[Row]:
        """Yield the rows, the oldest events first: in the order in which they were added, or in the reverse order."""
        if not self.is_newest_first:
            for offset in self._offsets:
                yield from self._read_batch(offset)
            yield from self._batch
            return
        yield from reversed(self._batch)
        for offset in reversed(self._offsets):
            yield from reversed(self._read_batch(offset))

    def _compare_days(self, package: int, day: str) -> None:
        last = self._days.get(package)
        if last is None and len(self._days) == _MAX_PACKAGES:
            return
        self._days[package] = day
        if last is not None and day < last:
            self._has_fallen = True
        elif last is not None and day > last:
            self._has_risen = True
            self._days.clear()

    def _write_batch(self) -> None:
        try:
            self._offsets.append(self._file.tell())
            pickle.dump(self._batch, self._file, pickle.HIGHEST_PROTOCOL)
            self._file.flush()
        except OSError as error:
            raise ConfigurationError(
                f"A temporary file cannot be written: {error.strerror or error}. Free space in the folder of temporary "
                "files, or name another folder with the environment variable TMPDIR."
            ) from None
        self._batch = []

    def _read_batch(self, offset: int) -> list[Row]:
        self._file.seek(offset)
        rows: list[Row] = pickle.load(self._file)  # noqa: S301 - this process wrote it
        return rows
