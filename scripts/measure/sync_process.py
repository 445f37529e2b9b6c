"""A process of ``scripts/sync_trial``: reads orders once, as fast as it can.

sync_process.py sync|backfill LOCATION URL
"""

from __future__ import annotations

import datetime as dt
import sys
from typing import Final

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders.backfill import backfill
from vtex_tracking_ext.orders.sync import sync_feed
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

#: The days on which the orders of a backfill are invoiced.
FIRST: Final = dt.date(2026, 9, 1)
DAYS: Final = 5


def main(action: str, location: str, url: str) -> None:
    """Run the process."""
    pace = Pace(rate=1e6, initial_rate=1e6)
    with (
        TrackingClient("mystore", app_key=APP_KEY, app_token=APP_TOKEN, base_url=url) as client,
        open_journal(location) as journal,
    ):
        store = OrderStore(journal, client)
        if action == "sync":
            synced = sync_feed(client, store, pace)
        else:
            synced = backfill(client, store, FIRST, FIRST + dt.timedelta(days=DAYS - 1), pace)
    sys.exit(0 if synced.is_complete else f"{synced}")


if __name__ == "__main__":
    main(*sys.argv[1:])
