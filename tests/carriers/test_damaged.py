"""Samples of every source with one value replaced by another that no source sends."""

from __future__ import annotations

import datetime as dt
import json
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.input.rows import Row
from vtex_tracking_ext.carriers import PayloadError, read, recognise
from vtex_tracking_ext.orders import OrderIndex, OrderPackage, carrier_rows

from support.carriers import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = dt.datetime(2026, 9, 18, 15, 0, tzinfo=dt.UTC)
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 10**5_000, float("nan"), [], [None], {"a": [5]}),
    *("x" * 300, "\ud800\x00", "<b>\u202e", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31"),
)


def damaged(value: Any, values: Iterator[Any]) -> Iterator[Any]:
    """Yield a document with each of its values replaced, one at a time."""
    yield next(values)
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in [*members]:
        for other in damaged(member, values):
            copy = value.copy()
            copy[key] = other
            yield copy


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_one_damaged_value(path: Path) -> None:
    """Reading raises nothing but PayloadError, which names the source, and no row has an id that cannot be kept."""
    document, values = json.loads(path.read_bytes()), cycle(VALUES)
    source = recognise(document) or ""
    for payload in damaged(document, values):
        try:
            reading = read(source, payload)
        except PayloadError as error:
            assert str(error).startswith(f"{source}: ")  # noqa: PT017 - most payloads raise none
            continue
        orders = OrderIndex(OrderPackage("1001-01", "1", tracking_number=each.tracking_code) for each in reading.events)
        for row in carrier_rows(reading, orders=orders, now=NOW):
            assert not isinstance(row, Row) or (row.event_id.isprintable() and len(row.event_id) <= 200)
