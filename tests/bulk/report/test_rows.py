"""Tests of reports as JSON lines and as CSV."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections import deque
from itertools import count, repeat
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.csv_injection import MARK
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import Row
from vtex_tracking_ext.bulk.journal.entries import PackageKey, draft_of, drafts_from_row
from vtex_tracking_ext.bulk.report.rows import BYTE_ORDER_MARK, FIELDS, MAX_CELL_LENGTH, csv_lines, json_lines

from support.entries import ADDED, HOSTILE, entry, hostile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.entries import Entry

EVENT = entry(
    7,
    "refused",
    status_code=404,
    reason="not found",
    receipt="f67d33a8029c42ce9a8f07fc17f54449",
    attempts=2,
    event_id="BDE-01",
    time="09:05",
)
DELIVERY = entry(8, "pending", event=None, delivered_date="2026-10-08 21:15", not_before=ADDED, volume="2")


def cells_of(*entries: Entry) -> list[dict[str, str]]:
    """Return the cells that a spreadsheet reads from the CSV."""
    text = "".join(csv_lines(entries))
    assert text.startswith(BYTE_ORDER_MARK)
    return list(csv.DictReader(io.StringIO(text[1:], newline=""), strict=True))


def test_json_lines_contain_all_fields() -> None:
    """Each entry is one object with null for absent values, times in UTC, and accents unescaped."""
    event, delivery = json_lines([EVENT, DELIVERY])
    assert event.endswith("\n")
    assert "S\u00e3o Paulo" in event
    assert json.loads(event) == {
        "account": "mystore",
        "order_id": "1172452900788-01",
        "invoice_number": "000030711",
        "kind": "event",
        "date": "2026-10-05",
        "city": "S\u00e3o Paulo",
        "state": "SP",
        "description": "Objeto postado",
        "is_delivered": False,
        "delivered_date": None,
        "event_id": "BDE-01",
        "time": "09:05",
        "outcome": "refused",
        "status_code": 404,
        "receipt": "f67d33a8029c42ce9a8f07fc17f54449",
        "reason": "not found",
        "attempts": 2,
        "source": "events.csv",
        "line": 8,
        "added": "2026-11-23T12:00:00.123Z",
        "begun": "2026-11-23T12:00:00.123Z",
        "settled": "2026-11-23T12:05:00.000Z",
        "number": EVENT.id,
        "volume": None,
        "held_until": None,
    }
    told = json.loads(delivery)
    assert list(told) == list(FIELDS)
    assert {name: told[name] for name in ("kind", "is_delivered", "delivered_date", "outcome")} == {
        "kind": "delivery",
        "is_delivered": True,
        "delivered_date": "2026-10-08 21:15",
        "outcome": "pending",
    }
    assert (told["volume"], told["held_until"]) == ("2", "2026-11-23T12:00:00.123Z")
    absent = ("date", "city", "state", "description", "event_id", "time", "status_code", "receipt", "begun", "settled")
    assert [told[name] for name in absent] == [None] * len(absent)


def test_csv_contains_all_fields() -> None:
    """CSV has the same fields, empty for absent values, with flags as in an input file."""
    event, delivery = cells_of(EVENT, DELIVERY)
    told = json.loads(next(json_lines([EVENT])))
    assert event == {name: "" if value is None else str(value) for name, value in told.items()} | {
        "is_delivered": "false"
    }
    assert delivery["is_delivered"] == "true"
    assert delivery["description"] == delivery["settled"] == delivery["status_code"] == ""


def test_csv_without_entries_has_a_header() -> None:
    """Without entries CSV has only a header, and JSON lines are empty."""
    assert list(json_lines([])) == []
    assert list(csv_lines([])) == [f"{BYTE_ORDER_MARK}{','.join(FIELDS)}\r\n"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_json_lines_are_exact_and_printable(text: str) -> None:
    """Unprintable characters are JSON escapes, so that every reader gets the exact text."""
    (line,) = json_lines([hostile(text)])
    assert line[:-1].isprintable()
    assert line.encode("utf-8")
    told = json.loads(line)
    assert {told[name] for name in ("order_id", "description", "reason", "source", "receipt")} == {text}


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_csv_cells_are_printable_and_harmless(text: str) -> None:
    """CSV cells are printable, limited in length, and not run as formulas."""
    (row,) = cells_of(hostile(text))
    assert "".join(csv_lines([hostile(text)])).encode("utf-8")
    for name, cell in row.items():
        assert cell.isprintable(), name
        assert not cell.startswith(("=", "+", "-", "@")), name
        assert len(cell) <= MAX_CELL_LENGTH + 200, name


def test_escaped_row_is_marked_and_can_be_read_again(tmp_path: Path) -> None:
    """A row with escaped cells is marked, and reading it yields the same entry."""
    plain = entry(1, "refused", reason="")
    formula = entry(
        2,
        "refused",
        reason="no",
        event=TrackingEvent("2026-10-05", "-5 graus", "=SUM(A1)", "+"),
        attempts=3,
        event_id="-7",
        time="09:05:30",
    )
    delivery = entry(3, event=None, reason="=x")
    rows = cells_of(plain, formula)
    assert [row["reason"] for row in rows] == ["", f"no {MARK}"]
    assert rows[1]["description"] == "'-5 graus"
    path = tmp_path / "report.csv"
    path.write_text("".join(csv_lines([plain, formula, delivery])), "utf-8", newline="")
    read = [row for row in read_rows(path, ADDED, ignore_unknown=True) if isinstance(row, Row)]
    assert [row.event for row in read] == [plain.event, formula.event, None]
    drafts = [draft for row in read for draft in drafts_from_row(row)]
    assert [draft.key for draft in drafts] == [draft_of(entry).key for entry in (plain, formula, delivery)]
    assert [draft.package for draft in drafts] == [PackageKey("mystore", "1172452900788-01", "000030711")] * 3


@pytest.mark.parametrize("lines", [json_lines, csv_lines])
def test_report_is_streamed(lines: Callable[[Iterable[Entry]], Iterator[str]]) -> None:
    """Writing 10,000 entries holds only a few lines in memory at once."""
    deque(lines([EVENT]), maxlen=0)
    made = count()
    many = map(lambda entry, _: entry, repeat(EVENT, 10_000), made)
    tracemalloc.start()
    try:
        deque(lines(many), maxlen=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert next(made) == 10_000
    assert peak < 1_000_000
