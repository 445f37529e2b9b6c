"""Hold the rows of an input until all of it was read, sort them by day, and recognise one with the newest events first.

Rows are noted in several transactions, and another process may send what it finds after each of them. So the days of a
package must be noted in their order.
"""

from __future__ import annotations

import pickle
import tempfile
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from vtex_tracking_ext.call.validation import format_event_date
from vtex_tracking_ext.text import visible

from .disk import DiskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .rows import Place, Row

#: Rows that are held as they are. More are pickled, a batch of this size at a time, each day by itself.
_BATCH: Final = 10_000

#: Bytes of pickled rows that are held in memory. With more, all of them are written to a temporary file.
_MEMORY: Final = 1 << 20

#: Sorts after every day. A delivery without an event is sent last.
_LAST: Final = "~"

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
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)  # by day
        self._held = 0
        self._file = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - closed by __exit__
        self._offsets: defaultdict[str, list[int]] = defaultdict(list)
        self._days: dict[int, str] = {}
        self._has_fallen = self._has_risen = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # writing what is in its buffer can fail again
            self._file.close()

    @property
    def is_newest_first(self) -> bool:
        """Whether the days of a package's events fall from row to row, in at least one package, and rise in none."""
        return self._has_fallen and not self._has_risen

    def add(self, row: Row) -> None:
        """Add a row.

        Raises:
            DiskError: The temporary file cannot be written.
        """
        self.first_place = self.first_place or row.place
        if self._held == _BATCH:
            self._write_batch()
        day = _LAST if row.event is None else format_event_date(row.event.date)
        self._rows[day].append(row)
        self._held += 1
        if row.event is not None and not self._has_risen:
            self._compare_days(hash((row.account, row.order_id, row.invoice_number)), day)

    def rows(self) -> Iterator[Row]:
        """Yield the rows by day; those of one day in the order in which they were added, or in the reverse order."""
        for day in sorted({*self._offsets, *self._rows}):
            offsets, rows = self._offsets[day], self._rows[day]
            if not self.is_newest_first:
                for offset in offsets:
                    yield from self._read(offset)
                yield from rows
                continue
            yield from reversed(rows)
            for offset in reversed(offsets):
                yield from reversed(self._read(offset))

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
            for day, rows in self._rows.items():
                self._offsets[day].append(self._file.tell())
                pickle.dump(rows, self._file, pickle.HIGHEST_PROTOCOL)
            self._file.flush()
        except OSError as error:
            raise _disk_error("written", error) from None
        self._rows.clear()
        self._held = 0

    def _read(self, offset: int) -> list[Row]:
        try:
            self._file.seek(offset)
            rows: list[Row] = pickle.load(self._file)  # noqa: S301 - this process wrote it
        except OSError as error:
            raise _disk_error("read", error) from None
        return rows


def _disk_error(done: str, error: OSError) -> DiskError:
    return DiskError(
        f"A temporary file cannot be {done}: {error.strerror or error}. Free space in the folder of temporary files "
        f"({visible(tempfile.tempdir or 'none')}), or name another folder with the environment variable TMPDIR, and "
        "run again."
    )
