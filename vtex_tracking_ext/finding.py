"""The values of the calls that find orders: items and configuration of the feed, and pages of the order list.

They are immutable. A client checks a configuration when it sends it.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - keeps the annotations resolvable
from collections.abc import Iterable
from typing import cast

from attrs import field, frozen

from .text import plain


@frozen
class FeedItem:
    """One event of the feed: an order reached a state.

    The same event may come twice, and an older one after a newer one (VTEX's guide on Feed v3 and FAQ on ERP
    integration), so read the order to learn its present state.

    Attributes:
        event_id: VTEX's id of the event, or None.
        handle: What to commit the item by. VTEX accepts it until the visibility timeout of the feed ends.
        order_id: Order id in the account of the feed.
        state: State that the order has reached, such as ``invoiced``. None is possible (VTEX's guide on Feed v3).
        changed_at: When the order reached the state, to the microsecond, or None if it cannot be read.
    """

    event_id: str | None
    handle: str = field(repr=False)
    order_id: str
    state: str | None
    changed_at: dt.datetime | None


def _as_statuses(statuses: Iterable[str]) -> frozenset[str]:
    value: object = statuses  # may be anything; a value that is not a series of texts is kept, and refused on sending
    if isinstance(value, str) or not isinstance(value, Iterable):
        return cast("frozenset[str]", value)
    return frozenset(map(plain, value))


@frozen
class FeedConfiguration:
    """Which events a feed has, and how long it keeps them. Each app key has one feed at most (VTEX's guide on Feed v3).

    Attributes:
        statuses: The order statuses that an event is made for, in any order, spelled as VTEX's workflow spells them.
            VTEX does not check that they exist. Empty in a configuration of another type.
        visibility_timeout: Seconds for which items that were read are hidden. Those that are not committed by then come
            again. None if VTEX does not tell.
        retention: Seconds after which an item leaves the feed, committed or not; from 345,600 (4 days) to 1,209,600 (14
            days). VTEX removes a feed that had no new item for so long. None if VTEX does not tell.
        filter_type: ``FromWorkflow`` (events for changes of the status). Others can be read, but not sent.
        expression: Condition of a configuration of the type ``FromOrders``, in JSONata; else None.
    """

    statuses: frozenset[str] = field(default=("invoiced",), converter=_as_statuses)
    visibility_timeout: int | None = 240
    retention: int | None = 1_209_600
    filter_type: str | None = "FromWorkflow"
    expression: str | None = None


@frozen
class OrderPage:
    """One page of the order list.

    Attributes:
        order_ids: Ids of the orders, in the order that was asked for.
        page: Number of the page, from 1.
        pages: Number of pages that the matching orders fill. Only the first 30 can be read (VTEX documentation).
        total: Number of orders that match. If there are more than 3,000, ask for a shorter time.
    """

    order_ids: tuple[str, ...]
    page: int
    pages: int
    total: int
