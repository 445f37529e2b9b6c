"""Tests of holding the rows of an input until all of it was read."""

from __future__ import annotations

import datetime as dt
import os
import stat
import tempfile
import tracemalloc
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from vtex_tracking_ext import ConfigurationError, TrackingEvent
from vtex_tracking_ext.bulk.input import spool as module
from vtex_tracking_ext.bulk.input.disk import DiskError
from vtex_tracking_ext.bulk.input.rows import Dialect, Place, RawRow, Row
from vtex_tracking_ext.bulk.input.spool import RowSpool

if TYPE_CHECKING:
    from collections.abc import Iterable

LAYOUT = Dialect("csv", ",", "utf-8", ("order_id", "invoice_number"))


def row(line: int, day: str = "2026-10-01", invoice: str = "1", **changes: Any) -> Row:
    """Return a row of a file."""
    event = TrackingEvent(day, f"event {line}", "S\xe3o Paulo", "SP") if day else None
    values = {"is_delivered": False, "delivered_date": None, **changes}
    return Row(Place("f.csv", line), "mystore", "o-01", invoice, event, raw=RawRow(LAYOUT, ["o-01", invoice]), **values)


def spooled(rows: Iterable[Row]) -> tuple[bool, list[Row]]:
    """Return whether rows are recognised as newest first, and the rows as they come back."""
    with RowSpool() as spool:
        for each in rows:
            spool.add(each)
        return spool.is_newest_first, list(spool.rows())


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 20])
@pytest.mark.parametrize("memory", [1, 1 << 20])
def test_rows_come_back_in_either_order(monkeypatch: pytest.MonkeyPatch, count: int, memory: int) -> None:
    """Rows come back as they were, or reversed if they are newest first, from memory and from a temporary file."""
    monkeypatch.setattr(module, "_BATCH", 4)
    monkeypatch.setattr(module, "_MEMORY", memory)
    rows = [row(line, f"2026-10-{line + 1:02}", event_id=f"e{line}", time="09:05") for line in range(count)]
    assert spooled(rows) == (False, rows)
    is_newest_first, found = spooled(reversed(rows))
    assert (is_newest_first, found) == (count > 1, rows)
    assert [each.raw for each in found] == [each.raw for each in rows]


def test_rows_of_every_kind_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery and a row without its raw form come back as they were."""
    monkeypatch.setattr(module, "_BATCH", 1)
    delivery = row(1, "", is_delivered=True, delivered_date="2026-10-02 10:00")
    event = TrackingEvent(dt.date(2026, 10, 1), "x")
    given = Row(Place("rows", 2), "mystore", "o-01", "1", event, is_delivered=True, delivered_date=None)
    _, (two, _, one) = spooled([delivery, given, row(3)])
    assert one == delivery
    assert (two.event, two.raw) == (event, None)


@pytest.mark.parametrize(
    ("days", "is_newest_first"),
    [
        ([("a", 2), ("a", 1)], True),
        ([("a", 3), ("b", 1), ("a", 3), ("a", 2), ("b", 1)], True),
        ([("a", 1), ("b", 2), ("a", 1), ("b", 1)], True),
        ([("a", 1), ("a", 2)], False),
        ([("a", 2), ("b", 1)], False),
        ([("a", 1), ("a", 1)], False),
        ([("a", 2), ("a", 1), ("b", 1), ("b", 2)], False),
        ([("b", 1), ("b", 2), ("a", 2), ("a", 1)], False),
        ([("a", 2), ("a", 1), ("a", 2)], False),
    ],
)
def test_newest_first_is_recognised_by_the_days_of_packages(days: list[tuple[str, int]], is_newest_first: bool) -> None:
    """An input is newest first if the days of a package fall in at least one package, and rise in none."""
    rows = [row(line, f"2026-10-0{day}", invoice) for line, (invoice, day) in enumerate(days)]
    assert spooled([*rows, row(9, "", is_delivered=True)])[0] is is_newest_first


@pytest.mark.parametrize("batch", [2, 100])
def test_rows_are_sorted_by_day(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """The rows of a day stay in their order; a delivery without an event comes last."""
    monkeypatch.setattr(module, "_BATCH", batch)
    days = ["2026-10-03", "2026-10-01", "", "2026-10-03", "2026-10-02", "2026-10-01"]
    rows = [row(line, day, f"{line}", is_delivered=not day) for line, day in enumerate(days)]
    is_newest_first, found = spooled(rows)
    assert (is_newest_first, [each.place.line for each in found]) == (False, [1, 5, 4, 0, 3, 2])


def test_compared_packages_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The days of packages beyond the limit are not compared, because they would need memory without limit."""
    monkeypatch.setattr(module, "_MAX_PACKAGES", 1)
    falling = [row(1, "2026-10-02", "a"), row(2, "2026-10-01", "a")]
    rising = [row(3, "2026-10-01", "b"), row(4, "2026-10-02", "b")]
    assert spooled([*falling, *rising])[0]
    assert not spooled([*rising, *falling])[0]


def test_memory_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing and reading 12,000 rows in batches of 1,000 holds no more than a few batches in memory."""
    monkeypatch.setattr(module, "_BATCH", 1000)
    tracemalloc.start()
    try:
        with RowSpool() as spool:
            for line in range(12_000):
                spool.add(row(line))
            tracemalloc.reset_peak()
            held = tracemalloc.get_traced_memory()[0]
            assert sum(1 for _ in spool.rows()) == 12_000
            _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3_000_000
    assert peak < 5_000_000


def test_few_rows_need_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hundred rows are held in memory, so that noting one row creates no file."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    rows = [row(line) for line in range(900)]
    assert spooled(rows) == (False, rows)


def test_full_disk_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary file that cannot be written raises ConfigurationError with the reason and a remedy."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_BATCH", 1)
    monkeypatch.setattr(module, "_MEMORY", 1)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(ConfigurationError, match=r"cannot be written: No space left on device\. Free space .* TMPDIR"):
        spooled([row(1), row(2)])


def test_only_the_owner_can_read_the_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file has mode 0600, because its rows name orders."""
    monkeypatch.setattr(module, "_BATCH", 1)
    monkeypatch.setattr(module, "_MEMORY", 1)
    with RowSpool() as spool:
        spool.add(row(1))
        spool.add(row(2))
        assert stat.S_IMODE(os.fstat(spool._file.fileno()).st_mode) == 0o600


def test_failing_disk_is_reported_when_rows_are_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary file that cannot be read raises DiskError, and closing it raises nothing else."""

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module, "_BATCH", 1)
    with RowSpool() as spool:
        spool.add(row(1))
        spool.add(row(2))
        spool._file.close()
        monkeypatch.setattr(spool, "_file", mock.Mock(seek=fail, close=fail))
        with pytest.raises(DiskError, match=r"A temporary file cannot be read: Input/output error\. Free space"):
            list(spool.rows())
