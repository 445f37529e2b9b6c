"""The measurement behind ``scripts/orders_bench``: finding packages among many that a journal knows."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.carriers import CarrierEvent, Status
from vtex_tracking_ext.orders import OrderPackage, OrderStore
from vtex_tracking_ext.orders.resolution import resolve

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

T = TypeVar("T")

_ACCOUNT = "mystore"

#: The time that resolving an event may take, in microseconds.
_TARGET = 100


def run(arguments: argparse.Namespace) -> int:
    """Fill the journal, measure, and print the results; 1 if an event does not find its package."""
    with tempfile.TemporaryDirectory() as folder:
        location = arguments.journal or Path(folder, "journal.db")
        with open_journal(location) as journal:
            store = OrderStore(journal, _ACCOUNT)
            if not store.counts():
                seconds, _ = _measured(lambda: store.save(map(_package, range(arguments.packages))))
                print(f"saved      {arguments.packages} packages, {seconds / arguments.packages * 1e6:.0f} µs each")
            choose = random.Random(1)  # noqa: S311 - not for security
            for _ in range(arguments.readings):
                numbers = [choose.randrange(arguments.packages) for _ in range(arguments.events)]
                events = [_event(number, choose.randrange(3)) for number in numbers]
                if not _reading(store, events, numbers):
                    return 1
    return 0


def _reading(store: OrderStore, events: list[CarrierEvent], numbers: list[int]) -> bool:
    """Measure one reading, and return whether each event finds its package."""

    def find() -> list[str]:
        index = store.look_up(events).index
        return [" ".join(package.order_id for package in resolve(event, index).packages) for event in events]

    started = time.process_time()
    seconds, found = _measured(find)
    processor = time.process_time() - started
    each, of_processor = (value / len(events) * 1e6 for value in (seconds, processor))
    print(f"resolved   {len(events)} events, {each:.0f} µs each ({of_processor:.0f} µs of CPU), target {_TARGET} µs")
    wrong = [order_id for order_id, number in zip(found, numbers, strict=True) if order_id != _package(number).order_id]
    if wrong:
        print(f"WRONG      {len(wrong)} events")
    return not wrong


def _measured(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _key(number: int) -> str:
    return f"3526099999999900019155001{number:09}1123456786"


def _package(number: int) -> OrderPackage:
    return OrderPackage(
        f"{1172452900000 + number}-01", f"{number:09}", _key(number), tracking_number=f"QB{number:09}BR"
    )


def _event(number: int, kind: int) -> CarrierEvent:
    named: dict[str, Any] = (
        {"nfe_key": _key(number), "tracking_code": f"QB{number:09}BR"},
        {"tracking_code": f"QB{number:09}BR"},
        {"invoice_number": str(number)},
    )[kind]
    return CarrierEvent("ocoren", "01", dt.datetime(2026, 9, 1), Status.IN_TRANSIT, **named)  # noqa: DTZ001
