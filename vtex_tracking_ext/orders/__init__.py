"""Find the order of each carrier event, in what a journal or a file knows, or by the order id that its payload echoes.

::

    from vtex_tracking_ext.bulk import push
    from vtex_tracking_ext.carriers import read
    from vtex_tracking_ext.orders import carrier_rows

    rows = carrier_rows(
        read("intelipost", payload), read_packages=lambda account, order_id: client.get_packages(order_id)
    )
    push(rows, client, "journal.db")
"""

from __future__ import annotations

from .orders_file import read_orders
from .package import OrderIndex, OrderPackage
from .rows import carrier_rows
from .store import OrderStore
from .unparking import Unparked, unpark

__all__ = ["OrderIndex", "OrderPackage", "OrderStore", "Unparked", "carrier_rows", "read_orders", "unpark"]
