"""Which orders of an account are still to be read, and how far a backfill came: kept in the journal's database."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from vtex_tracking_ext.bulk.journal.interface import Journal
from vtex_tracking_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vtex_tracking_ext.bulk.journal.interface import JournalReader

    Statements = Sequence[tuple[str, Sequence[Mapping[str, Any]]]]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


def _aware(moment: dt.datetime | None) -> dt.datetime | None:
    """Return a moment, or None if it has no time zone, so that it cannot be compared."""
    return None if moment is None or moment.utcoffset() is None else moment


@frozen
class Request:
    """An order that is to be read.

    Attributes:
        order_id: The order.
        changed: When it changed, by VTEX's clock, or None. An order that was read since needs no reading.
        requests: How often it was requested. A request that comes while the order is read is not lost.
    """

    order_id: str
    changed: dt.datetime | None = field(default=None, converter=_aware)
    requests: int = 0

    def is_read(self, changes: Mapping[str, dt.datetime]) -> bool:
        """Return whether the order was read since it changed; ``changes`` is of :meth:`OrdersToRead.changes_read`."""
        known = changes.get(self.order_id)
        return known is not None and self.changed is not None and self.changed <= known


@frozen
class Progress:
    """How far a backfill came.

    Attributes:
        first: First moment of its period.
        last: Last moment of its period.
        listed: Last moment up to which its orders were listed, and are known or to be read.
    """

    first: dt.datetime
    last: dt.datetime
    listed: dt.datetime


class OrdersToRead:
    """The orders of one account that are still to be read. Thread-safe, as the journal is.

    Times are compared by VTEX's clock alone, so that no order is missed because a machine's clock is wrong: an order
    was read *since* a change if the reading began after VTEX reported this change or a later one.

    Every method may raise :class:`~vtex_tracking_ext.bulk.journal.interface.JournalError`.

    Args:
        journal: The journal.
        account: The account as the journal names it.

    Raises:
        ConfigurationError: The journal was opened for reading.
    """

    def __init__(self, journal: JournalReader, account: str) -> None:
        if not isinstance(journal, Journal):
            raise ConfigurationError("The journal was opened for reading; open it for writing with open_journal().")
        self._journal = journal
        self._account = account

    def add(self, order_id: str) -> None:
        """Record that an order is to be read, because it changed at a time that is not known."""
        self._journal.execute([self._added([order_id], None)])

    def add_listed(self, order_ids: Sequence[str], changed: dt.datetime, progress: Progress) -> None:
        """Record that the orders of a window of a backfill are to be read, and how far the backfill came."""
        values = {name: _stored(getattr(progress, name)) for name in ("first", "last", "listed")}
        self._journal.execute(
            [self._added(sorted(order_ids), changed), ("save_backfill", [{**values, "account": self._account}])]
        )

    def requests(self) -> list[Request]:
        """Return the orders that are to be read, in the order in which they were first requested."""
        records = self._journal.select_many("requested_orders", [self._account])
        return [Request(order_id, _moment(changed), requests) for order_id, changed, requests in records]

    def changes_read(self, order_ids: Iterable[str]) -> dict[str, dt.datetime]:
        """Return the last change of each order since which the order was read; others are left out."""
        records = self._journal.select_many("changes_read", sorted(set(order_ids)))
        changes = {order_id: _moment(changed) for account, order_id, changed in records if account == self._account}
        return {order_id: changed for order_id, changed in changes.items() if changed is not None}

    def was_read(self, request: Request) -> Statements:
        """Return the statements that record since which change an order was read, for the transaction that saves it."""
        values = {
            "account": self._account,
            "order_id": request.order_id,
            "changed": _stored(request.changed),
            "requests": request.requests,
        }
        return [*([("was_read", [values])] if request.changed else []), *self._removed(values)]

    def remove(self, request: Request) -> None:
        """Record that an order need not be read: it was read, or it does not exist."""
        values = {"account": self._account, "order_id": request.order_id, "requests": request.requests}
        if statements := self._removed(values):
            self._journal.execute(statements)

    def backfill_progress(self) -> Progress | None:
        """Return how far the last backfill came that was not finished, or None."""
        for first, last, listed in self._journal.select_many("backfill", [self._account]):
            return Progress(*(_EPOCH + moment * _MICROSECOND for moment in (first, last, listed)))
        return None

    def end_backfill(self) -> None:
        """Record that the backfill has listed its whole period."""
        self._journal.execute([("end_backfill", [{"account": self._account}])])

    def _added(self, order_ids: Iterable[str], changed: dt.datetime | None) -> tuple[str, list[dict[str, Any]]]:
        values = {"account": self._account, "changed": _stored(changed)}
        return "request_order", [{**values, "order_id": order_id} for order_id in order_ids]

    def _removed(self, values: Mapping[str, Any]) -> Statements:
        return [("remove_request", [values])] if values["requests"] else []


def _stored(moment: dt.datetime | None) -> int:
    """Return a moment as it is stored: microseconds since 1970, or 0 if it is not known."""
    return 0 if moment is None else (moment - _EPOCH) // _MICROSECOND


def _moment(stored: int) -> dt.datetime | None:
    return _EPOCH + stored * _MICROSECOND if stored else None
