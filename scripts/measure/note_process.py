"""A process of ``scripts/note_trial``: notes rows in many threads, or delivers what was noted.

note_process.py note LOCATION URL FIRST THREADS ROWS   FIRST is the number of its first thread
note_process.py deliver LOCATION URL RESEND_AFTER      seconds, or 0 for never
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk import deliver, note
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

#: Events of each package; a package is noted by one thread, an event at a time.
EVENTS_PER_PACKAGE = 10

#: Calls a second at most; the sandbox is slower.
RATE = 1000.0


def rows_of(thread: int, number: int) -> list[dict[str, str]]:
    """Return the rows that a thread notes, in their order."""
    return [
        {
            "order_id": f"{thread}-{at // EVENTS_PER_PACKAGE}-01",
            "invoice_number": "1",
            "date": "2026-11-01",
            "description": f"event {at}",
        }
        for at in range(number)
    ]


def note_rows(client: TrackingClient, location: str, first: int, threads: int, number: int) -> None:
    """Note rows, each by a call of its own: one half of the threads with a journal of their own for each call."""
    with open_journal(location) as journal, ThreadPoolExecutor(threads) as executor:

        def note_all(thread: int) -> None:
            for row in rows_of(thread, number):
                result = note([row], journal if thread % 2 else location, account=client)
                if result.new != 1:
                    raise RuntimeError(f"{row} was not new: {result}")

        list(executor.map(note_all, range(first, first + threads)))


def main(action: str, location: str, url: str, *arguments: str) -> None:
    """Run the process."""
    numbers: list[Any] = [int(argument) for argument in arguments]
    with TrackingClient("mystore", app_key=APP_KEY, app_token=APP_TOKEN, base_url=url) as client:
        if action == "note":
            note_rows(client, location, *numbers)
        else:
            options = DeliveryOptions(resend_after=numbers[0] or None)
            print(deliver(client, location, options=options, rate=RATE).pending)


if __name__ == "__main__":
    main(*sys.argv[1:])
