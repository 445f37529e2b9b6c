"""The packages of orders whose updates VTEX refused: each order is read once in a run, to explain the refusals."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from attrs import Factory, define

from vtex_tracking_ext.errors import NotFoundError, VtexTrackingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.events import Package


@define
class _Lookup:
    """The packages of an order, or None if they are not known."""

    packages: tuple[Package, ...] | None = None
    is_done: bool = False
    lock: threading.Lock = Factory(threading.Lock)


class InvoiceLookups:
    """Reads the packages of orders, each order once. Thread-safe.

    After an order could not be read, no other is: the key may lack the right, and a refusal needs no explanation.
    """

    def __init__(self) -> None:
        self._lookups: dict[str, _Lookup] = {}
        self._can_read = True

    def packages(
        self, order_id: str, read_order: Callable[[str], tuple[Package, ...] | VtexTrackingError | None]
    ) -> tuple[Package, ...] | None:
        """Return the packages of an order, or None if it cannot be read.

        Args:
            order_id: The order.
            read_order: See :meth:`.calls.AccountCalls.read_order`.
        """
        lookup = self._lookups.setdefault(order_id, _Lookup())
        with lookup.lock:  # packages of one order are delivered by several threads
            if self._can_read and not lookup.is_done:
                lookup.is_done = True
                shown = read_order(order_id)
                if isinstance(shown, tuple):
                    lookup.packages = shown
                else:
                    self._can_read = shown is None or isinstance(shown, NotFoundError)
            return lookup.packages
