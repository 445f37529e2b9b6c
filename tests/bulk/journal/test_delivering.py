"""Tests of noting rows while a process delivers them: nothing is lost, sent twice or left behind."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.sqlite import journal as sqlite_journal

from support.journaled import Account, add, row
from support.processes import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vtex_tracking_ext.bulk.journal.entries import Entry
    from vtex_tracking_ext.bulk.journal.interface import Journal, Lease

    from .conftest import Store

PROCESSES: Final = 4
THREADS: Final = 50
ROUNDS: Final = 3
EVENTS: Final = 3

#: For each line of its input: adds rows with many threads, some of them with ``note``, and prints "done". Each thread
#: adds the next events of its own package, and events that all processes add.
NOTER = f"""
import sys, threading
from vtex_tracking_ext.bulk import note
from vtex_tracking_ext.bulk.journal.opening import open_journal

location, process = sys.argv[1:]

def rows(invoice, texts):
    return [
        {{"order_id": invoice, "invoice_number": "1", "date": "2026-10-01", "description": text}} for text in texts
    ]

def work(journal, thread, number):
    texts = [f"{{event:02}}" for event in range(number * {EVENTS}, (number + 1) * {EVENTS})]
    for text in texts:
        result = note(rows(f"{{process}}-{{thread}}", [text]), journal, account="mystore")
        assert (result.new, result.known) == (1, 0), result
    result = note(rows("common", texts), location if thread % 10 == 0 else journal, account="mystore")
    assert result.new + result.known == {EVENTS}, result

threading.excepthook = lambda error: print(repr(error.exc_value), flush=True)
with open_journal(location) as journal:
    for number, _ in enumerate(sys.stdin):
        threads = [threading.Thread(target=work, args=(journal, thread, number)) for thread in range({THREADS})]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("done", flush=True)
"""

#: Delivers ``once``, or again and again. The account is a file with a line for each event that was sent, which orders
#: show. Prints a line for each call.
DELIVERER = """
import functools, os, sys
from vtex_tracking_ext import TrackingReceipt
from vtex_tracking_ext.bulk import deliver
from vtex_tracking_ext.bulk.delivery import deliver as delivery
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.events import Package, PackageEvent

location, path, times = sys.argv[1:]
delivery.Pace = functools.partial(delivery.Pace, initial_rate=1e6)
log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

class Account:
    account = "mystore"
    base_url = "https://mystore.vtexcommercestable.com.br"

    def paced(self):
        return self

    def send(self, update):
        os.write(log, "".join(f"{update.order_id} {event.description}\\n" for event in update.events).encode())
        os.write(1, b"sent\\n")
        return TrackingReceipt(date=None, order_id=update.order_id, receipt="r")

    def get_packages(self, order_id):
        lines = [line.split() for line in open(path)]
        events = [PackageEvent("2026-10-01", text, "", "", "2026-10-01") for order, text in lines if order == order_id]
        return (Package("1", "Output", "", None, None, False, None, tuple(events)),)

options = DeliveryOptions(recheck_delays=(), resend_after=0.001, events_per_call=3)
with open_journal(location) as journal:
    while deliver(Account(), journal, options=options, rate=1e6).others or times == "always":
        pass
print("end", flush=True)
"""


def test_many_note_while_a_deliverer_is_killed(store: Store, tmp_path: Any) -> None:
    """Four processes with 50 threads each note rows, while a process delivers and is killed three times.

    Every row is noted once, and every event is sent once and in order within its package.
    """
    log = tmp_path / "sent"
    store.open()
    with ExitStack() as stack:
        noters = [stack.enter_context(Program(NOTER, store.location, number)) for number in range(PROCESSES)]
        for _ in range(ROUNDS):
            for noter in noters:
                noter.write_line("go")
            with Program(DELIVERER, store.location, log, "always") as deliverer:
                assert [deliverer.read_line() for _ in range(30)] == ["sent"] * 30
                deliverer.kill()
            assert [noter.read_line() for noter in noters] == ["done"] * PROCESSES
        assert [noter.end() for noter in noters] == [0] * PROCESSES
        with Program(DELIVERER, store.location, log, "once") as deliverer:
            while deliverer.read_line() == "sent":
                pass
            assert deliverer.end() == 0
    sent = Counter(log.read_text().splitlines())
    texts = [f"{event:02}" for event in range(ROUNDS * EVENTS)]
    packages = ["common", *(f"{process}-{thread}" for process in range(PROCESSES) for thread in range(THREADS))]
    assert sent == Counter(f"{package} {text}" for package in packages for text in texts)
    for package in packages[1:]:
        assert [line.split()[1] for line in sent if line.startswith(f"{package} ")] == texts
    journal = store.open()
    assert journal.counts() == {"mystore": {"applied": len(packages) * len(texts)}}
    if store.location.endswith(".db"):
        assert journal._fetch("PRAGMA integrity_check", {}) == [("ok",)]


class Points:
    """Calls a function at one of the points at which a delivery uses its journal.

    Args:
        at: The number of the point.
        act: The function.

    Attributes:
        reached: How many points were reached.
    """

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        self.reached = 0
        self._at = at
        self._act = act

    def reach(self) -> None:
        """Reach the next point."""
        self.reached += 1
        if self.reached == self._at:
            self._act()


class Watched:
    """A journal or a lease that reaches a point before and after each use."""

    def __init__(self, wrapped: Journal | Lease, points: Points) -> None:
        self._wrapped: Any = wrapped
        self._points = points

    def __getattr__(self, name: str) -> Any:
        """Return an attribute; a method reaches points before and after it is called."""
        found = getattr(self._wrapped, name)
        if not callable(found):
            return found

        def use(*arguments: Any, **options: Any) -> Any:
            self._points.reach()
            try:
                return found(*arguments, **options)
            finally:
                self._points.reach()

        return use

    def backlog(self, account: str) -> Iterator[tuple[Entry, ...]]:
        """Yield the backlog, with a point before each page and at the end."""
        self._points.reach()
        for entries in self._wrapped.backlog(account):
            yield entries
            self._points.reach()

    @contextmanager
    def lease(self, account: str) -> Iterator[Any]:
        """Take the lease, with points before and after it is taken and given back."""
        self._points.reach()
        with self._wrapped.lease(account) as lease:
            self._points.reach()
            yield lease and Watched(lease, self._points)
            self._points.reach()
        self._points.reach()


def deliver(journal: Any, account: Account, name: str) -> AccountDelivery:
    """Deliver an account, and return the delivery."""
    client: Any = account
    options = DeliveryOptions(concurrency=1, recheck_delays=())
    delivery = AccountDelivery(client, journal, name, lambda _: None, options)
    delivery.pace = Pace(rate=1e6, initial_rate=1e6)
    delivery.run()
    return delivery


class Pair:
    """Two processes with the same journal, each with a delivery of its own."""

    def __init__(self, store: Store) -> None:
        self.first, self.second = store.open(), store.open()
        self.is_slow = store.location.startswith("postgresql")
        self._number = 0

    def run(self, point: int, invoice: str, hold: int = 0) -> bool:
        """Deliver a row; at a point of this delivery another process notes a row and delivers.

        Args:
            point: The number of the point.
            invoice: The package of the other row.
            hold: The point of the other delivery at which it pauses until the first one has ended; 0 for no pause.

        Returns:
            Whether both deliveries reached their points.
        """
        self._number += 1
        name, account = f"a{self._number}", Account()
        has_ended, is_held = threading.Event(), threading.Event()

        def pause() -> None:
            is_held.set()
            assert has_ended.wait(30)

        other_points = Points(hold, pause)

        def note_and_deliver() -> None:
            add(self.second, row(2, "b", invoice, account=name))
            deliver(Watched(self.second, other_points), account, name)
            is_held.set()

        thread = threading.Thread(target=note_and_deliver)

        def start() -> None:
            thread.start()
            assert is_held.wait(30)

        add(self.first, row(1, "a", account=name))
        points = Points(point, start)
        deliver(Watched(self.first, points), account, name)
        has_ended.set()
        if points.reached >= point:
            thread.join(30)
            assert sorted(" ".join(account.sent).split()) == ["a", "b"], (point, hold)
            assert self.first.counts()[name] == {"applied": 2}
        return points.reached >= point and other_points.reached >= hold


@pytest.fixture
def pair(store: Store, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Return two processes with the same journal."""
    monkeypatch.setattr(sqlite_journal, "_LEASE_TIMEOUT", 0.0)
    return Pair(store)


@pytest.mark.parametrize("invoice", ["1", "2"])
def test_row_that_is_noted_at_any_point_of_a_delivery_is_sent(pair: Pair, invoice: str) -> None:
    """A row of the same or of another package is sent once, by the deliverer or by the process that noted it."""
    points = 1
    while pair.run(points, invoice):
        points += 1
    assert points > 20


def test_two_deliveries_that_interleave_send_everything(pair: Pair) -> None:
    """The same holds if the other process pauses at any point of its delivery until the first one has ended."""
    point, pairs, step = 1, 0, 4 if pair.is_slow else 1
    while pair.run(point, "1"):
        hold = 1
        while pair.run(point, "1", hold):
            hold += 1
        pairs += hold - 1
        point += step
    assert pairs > 200 / step
