"""The feed of one app key: a queue of status changes. Without HTTP; the time is a parameter, and the caller locks.

Items may be read in any order and more than once at the real VTEX, whose queue is of Amazon's standard kind (VTEX's FAQ
on ERP integration). This one sends them in their order, and again only after the visibility timeout.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from attrs import Factory, define, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@frozen
class StatusChange:
    """A change of an order's status, with the one before it."""

    order_id: str
    state: str
    at: float
    last_state: str
    last_at: float


@define
class _Item:
    """A change in a queue; ``reads`` is how often it was sent."""

    change: StatusChange
    arrived: float
    visible_at: float
    reads: int = 0


@define
class Feed:
    """A feed that is configured.

    Attributes:
        filter: The filter of its configuration.
        visibility_timeout: Seconds for which an item that was sent is hidden.
        retention: Seconds for which an item stays, and the feed without a new one.
        alive_since: When it was configured, or its newest item came.
    """

    filter: Mapping[str, Any]
    visibility_timeout: int
    retention: int
    alive_since: float
    _items: dict[str, _Item] = Factory(dict)

    def configure(self, configuration: Mapping[str, Any], now: float) -> None:
        """Replace the configuration. The items stay (VTEX's guide on Feed v3)."""
        self.filter = configuration["filter"]
        self.visibility_timeout = configuration["queue"]["visibilityTimeoutInSeconds"]
        self.retention = configuration["queue"]["MessageRetentionPeriodInSeconds"]
        self.alive_since = now

    def is_removed(self, now: float) -> bool:
        """Return whether no new item came for the retention period: VTEX removes such a feed (its guide on Feed v3)."""
        return now - self.alive_since >= self.retention

    def add(self, change: StatusChange, now: float) -> None:
        """Add an item, unless the filter excludes the status. Conditions in JSONata are not evaluated: all pass."""
        if self.filter["type"] != "FromWorkflow" or change.state in self.filter["status"]:
            self._items[uuid.uuid4().hex.upper()] = _Item(change, now, now)
            self.alive_since = now

    def read(self, count: int, now: float) -> list[dict[str, str]]:
        """Return at most ``count`` items that are visible, and hide them for the visibility timeout."""
        self._drop_old(now)
        visible = list(islice((pair for pair in self._items.items() if pair[1].visible_at <= now), count))
        for _, item in visible:
            item.visible_at = now + self.visibility_timeout
            item.reads += 1
        return [_shown(event_id, item) for event_id, item in visible]

    def commit(self, handles: Iterable[str], now: float) -> None:
        """Remove items by the handles of their last reading.

        Other handles are ignored (guess: VTEX documents no answer to them): those of items that are removed, and those
        that the visibility timeout has ended, after which items cannot be committed (VTEX's guide on Feed v3).
        """
        for handle in handles:
            item = self._items.get(handle.partition(".")[0])
            if item is not None and item.visible_at > now and handle.endswith(f".{item.reads}"):
                del self._items[handle.partition(".")[0]]

    def shown(self, now: float) -> dict[str, Any]:
        """Return the configuration, under the names of VTEX's example."""
        self._drop_old(now)
        return {
            "filter": dict(self.filter),
            "queue": {
                "visibilityTimeoutInSeconds": self.visibility_timeout,
                "messageRetentionPeriodInSeconds": self.retention,
            },
            "quantity": len(self._items),
            "approximateAgeOfOldestMessageInSeconds": max((now - i.arrived for i in self._items.values()), default=0.0),
        }

    def _drop_old(self, now: float) -> None:
        # The oldest are first.
        for event_id in list(takewhile(lambda key: now - self._items[key].arrived >= self.retention, self._items)):
            del self._items[event_id]


def _shown(event_id: str, item: _Item) -> dict[str, str]:
    return {
        "eventId": event_id,
        "handle": f"{event_id}.{item.reads}",
        "domain": "Fulfillment",
        "state": item.change.state,
        "lastState": item.change.last_state,
        "orderId": item.change.order_id,
        "lastChange": utc(item.change.last_at),
        "currentChange": utc(item.change.at),
    }


def utc(seconds: float) -> str:
    """Return a time as feed and hook write it: ISO 8601 with seven fraction digits and ``Z``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0Z"
