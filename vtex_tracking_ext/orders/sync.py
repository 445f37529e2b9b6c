"""Fill the index of orders from VTEX's feed and from its hook.

::

    from vtex_tracking_ext.bulk.journal.opening import open_journal
    from vtex_tracking_ext.orders import OrderStore
    from vtex_tracking_ext.orders.sync import receive_notification, sync_feed

    with open_journal("journal.db") as journal:
        store = OrderStore(journal, client)
        receive_notification(request_body, store)  # in the web service that VTEX's hook calls
        print(sync_feed(client, store))
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.call.validation import order_id_problems
from vtex_tracking_ext.errors import ConfigurationError, InvalidUpdateError, Problem, VtexTrackingError
from vtex_tracking_ext.finding import FeedConfiguration
from vtex_tracking_ext.text import visible

from .reader import OrderReader, Synced
from .to_read import OrdersToRead, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause
    from vtex_tracking_ext.bulk.delivery.pace import Pace
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.finding import FeedItem

    from .store import OrderStore

#: The feed's configuration. ``invoiced`` comes with every invoice of an order (VTEX's FAQ on ERP integration), so also
#: when an order has a further package. ``canceled`` and ``replaced`` say that no delivery is to be expected any more.
#: VTEX has no status for a tracking number that is registered later, or for a delivery.
CONFIGURATION: Final = FeedConfiguration(("invoiced", "canceled", "replaced"))

#: Empty answers in a row after which the feed counts as empty: one of them does not prove it (VTEX's FAQ).
_EMPTY_ANSWERS: Final = 2

#: A status that only those follow who fulfil orders.
_OF_FULFILMENT: Final = frozenset({"ready-for-handling", "start-handling", "handling"})

#: Stands for an unknown time of a change.
_LONG_AGO: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

#: Characters of a configuration that messages show.
_SHOWN: Final = 200


def sync_feed(
    client: TrackingClient,
    store: OrderStore,
    pace: Pace | None = None,
    *,
    has_feed: bool = True,
    reconfigure: bool = False,
    on_pause: Callable[[AccountPause], object] | None = None,
) -> Synced:
    """Read and save the orders of the feed's items, and those that notifications of the hook or a backfill requested.

    An item is committed only after its order was saved, or if VTEX does not have the order. The item of an order that
    cannot be read now is not committed, so VTEX sends it again after the feed's visibility timeout.

    Args:
        client: A client of the account, with the key whose feed is read.
        store: Where the orders are saved. Its journal must be open for writing.
        pace: The pace of the account, if other calls of this process share it; cancel it to end the run. By default, 5
            calls a second.
        has_feed: Whether to read the feed. Without it, only the requested orders are read: for accounts with a hook.
        reconfigure: Whether to store :data:`CONFIGURATION` again if the feed has its statuses, but other times.
        on_pause: Called with each pause after a 429, or after several failures.

    Returns:
        What was done. If the run ended early, ``error`` says why.

    Raises:
        ConfigurationError: The key's feed has another configuration, so it is another system's; or the account is not
            one of the store's.
        JournalError: The journal cannot be used.
    """
    reader = OrderReader(client, store, pace, on_pause)
    try:
        reader.read_requested()
        if has_feed:
            _configure(reader, reconfigure=reconfigure)
        empty = 0
        while has_feed and empty < _EMPTY_ANSWERS:
            items = reader.call(lambda client: client.read_feed())
            empty = 0 if items else empty + 1
            if handles := [item.handle for item in _read_items(reader, items)]:
                reader.call(lambda client: client.commit_feed(handles))
                reader.synced.committed += len(handles)
    except VtexTrackingError as error:
        if isinstance(error, ConfigurationError | JournalError):
            raise
        reader.synced.error = error
    return reader.synced


def receive_notification(payload: Mapping[str, Any] | str | bytes, store: OrderStore) -> bool:
    """Record that the order of a hook's notification is to be read, and return. :func:`sync_feed` reads it.

    When the function returns, the journal has the order on disk, so the notification can be answered with 200. Without
    another answer within five seconds, VTEX repeats it. Check before that the request is VTEX's, by the header that the
    hook's configuration sets.

    Args:
        payload: The body of the request, or the JSON document in it.
        store: The index. Its journal must be open for writing.

    Returns:
        False for the ping that VTEX sends when the hook is configured, else True.

    Raises:
        InvalidUpdateError: It is not a notification; answer 400.
        ConfigurationError: The order's account is not one of the run's.
        JournalError: The journal cannot be used; answer 503, so that VTEX repeats the notification.
    """
    try:
        document = json.loads(payload) if isinstance(payload, str | bytes) else payload
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping):
        raise InvalidUpdateError(problems=[Problem("payload", "it is not a JSON object")])
    if document.get("hookConfig") == "ping":
        return False
    order_id, origin = document.get("OrderId"), document.get("Origin")
    account = origin.get("Account") if isinstance(origin, Mapping) else None
    problems = [problem._replace(place="OrderId") for problem in order_id_problems(order_id)]
    if not isinstance(account, str) or not account:
        problems.append(Problem("Origin.Account", "it is missing; a notification of VTEX names the account"))
    if problems:
        raise InvalidUpdateError(problems=problems)
    # Not with the time of its change: anyone may have sent it, and a time in the future would hide later changes.
    OrdersToRead(store.journal, store.journal_account(str(account))).add(str(order_id))
    return True


def _configure(reader: OrderReader, *, reconfigure: bool) -> None:
    """Configure the feed if the key has none.

    Raises:
        ConfigurationError: It is another system's.
    """
    found = reader.call(lambda client: client.get_feed_configuration())
    if found is not None and not (reconfigure and _is_ours(found) and found != CONFIGURATION):
        _check_ours(found)
        return
    _check_ours(reader.call(lambda client: client.configure_feed(CONFIGURATION, replaces=found)))
    reader.synced.is_configured = True


def _is_ours(found: FeedConfiguration) -> bool:
    return found.filter_type == CONFIGURATION.filter_type and found.statuses == CONFIGURATION.statuses


def _check_ours(found: FeedConfiguration) -> None:
    """Raise ConfigurationError if a configuration is another system's."""
    if _is_ours(found):
        return
    if found.filter_type != CONFIGURATION.filter_type:
        condition, kind = (visible(text or "none", _SHOWN) for text in (found.expression, found.filter_type))
        what = f"orders by the condition {condition} (type {kind})"
        whose = "a system that follows the contents of orders"
    else:
        what = f"the statuses {visible(', '.join(sorted(found.statuses)) or 'none', _SHOWN)}"
        is_fulfilment = not found.statuses.isdisjoint(_OF_FULFILMENT)
        whose = "a system that fulfils orders, such as an ERP" if is_fulfilment else "another integration"
    raise ConfigurationError(
        f"The feed of this app key follows {what}, and not {', '.join(sorted(CONFIGURATION.statuses))}: it looks like "
        f"that of {whose}. Nothing was read or changed, because each item that is read here is missing there. A key "
        "has one feed: create another app key in VTEX Admin for this program, with the resources Feed v3 and Hook "
        "Admin, and View order. If nothing else uses the feed, delete its configuration first."
    )


def _read_items(reader: OrderReader, items: Iterable[FeedItem]) -> Iterator[FeedItem]:
    """Read the orders of items, each order once, and yield the items that can be committed."""
    by_order: dict[str, list[tuple[Request, FeedItem]]] = {}
    for item in items:
        by_order.setdefault(item.order_id, []).append((Request(item.order_id, item.changed_at), item))
        reader.synced.items += 1
    changes = reader.to_read.changes_read(by_order)
    for own in by_order.values():
        request, newest = max(own, key=lambda pair: pair[0].changed or _LONG_AGO)
        is_known = all(each.is_read(changes) for each, _ in own)
        reader.synced.known += is_known
        if is_known or reader.read(request, newest.state or ""):
            yield from (item for _, item in own)
