"""The steps of the calls that find orders, without I/O: the feed of changes, its configuration, and the order list.

They work like those of :mod:`.steps`: checks first, then a generator that yields attempts and pauses.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any, Final

from vtex_oms_client import constants, models

from vtex_tracking_ext.errors import NotFoundError, Problem
from vtex_tracking_ext.finding import FeedConfiguration, FeedItem, OrderPage
from vtex_tracking_ext.text import plain, quoted

from .faults import raise_interruption
from .operations import (
    commit_feed_call,
    configure_feed_call,
    feed_configuration_call,
    list_orders_call,
    read_feed_call,
)
from .outcome import parse, timestamp
from .steps import Steps, invalid, make_call, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.config.options import ClientOptions

    from .answer import Answer
    from .operations import Call

_ORDER_BY: Final = re.compile(constants.ORDER_BY_PATTERN)
_STATUS: Final = re.compile(constants.F_STATUS_PATTERN)


def read_feed(max_items: int, options: ClientOptions) -> Steps[tuple[FeedItem, ...]]:
    """Check a number of items, and return the steps that take so many from the feed.

    Raises:
        InvalidUpdateError: The number is out of VTEX's range.
    """
    if problems := _number_problems("max_items", max_items, constants.MAXLOT_MINIMUM, constants.MAXLOT_MAXIMUM):
        raise invalid(problems, options, "read_feed")
    return _read_feed(read_feed_call(max_items), options)


def commit_feed(handles: Iterable[str], options: ClientOptions) -> Steps[None]:
    """Check handles, and return the steps that commit them; there are none for no handles.

    Raises:
        InvalidUpdateError: Something is not a handle.
    """
    value: object = handles  # at runtime it may be anything
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise invalid([Problem("handles", f"{quoted(value)} is not a list of handles")], options, "commit_feed")
    listed = [plain(handle) for handle in handles]
    if problems := [
        Problem(f"handles[{index}]", f"{quoted(handle)} is not a handle; give the handle of a FeedItem")
        for index, handle in enumerate(listed)
        if not (isinstance(handle, str) and handle)
    ]:
        raise invalid(problems, options, "commit_feed")
    return _commit_feed(listed, options)


def get_feed_configuration(options: ClientOptions) -> Steps[FeedConfiguration | None]:
    """Return the steps that read the feed's configuration."""
    return _read_configuration(options, options.clock() + options.timeout)


def configure_feed(
    configuration: FeedConfiguration, replaces: FeedConfiguration | None, options: ClientOptions
) -> Steps[FeedConfiguration]:
    """Check a configuration, and return the steps that store it if nobody else's is there.

    Raises:
        InvalidUpdateError: Something is wrong with the configuration.
    """
    if problems := _configuration_problems(configuration):
        raise invalid(problems, options, "configure_feed")
    return _configure_feed(configuration, replaces, options)


def list_orders(
    page: int,
    per_page: int,
    order_by: str,
    invoiced: tuple[dt.datetime, dt.datetime] | None,
    status: str | None,
    options: ClientOptions,
) -> Steps[OrderPage]:
    """Check the filters of a list, and return the steps that read one page of it.

    Raises:
        InvalidUpdateError: Something is wrong with the arguments.
    """
    problems = [
        *_number_problems("page", page, constants.PAGE_MINIMUM, constants.PAGE_MAXIMUM),
        *_number_problems("per_page", per_page, constants.PER_PAGE_MINIMUM, constants.PER_PAGE_MAXIMUM),
    ]
    if not (isinstance(order_by, str) and _ORDER_BY.fullmatch(order_by)):
        problems.append(Problem("order_by", f"{quoted(order_by)} is not a field and a direction: creationDate,asc"))
    if not (status is None or (isinstance(status, str) and _STATUS.fullmatch(status))):
        problems.append(Problem("status", f"{quoted(status)} is not a status of VTEX's workflow, such as invoiced"))
    invoiced_date = None if invoiced is None else _format_period(invoiced)
    if invoiced_date == "":
        problems.append(Problem("invoiced", f"{quoted(invoiced)} is not a first and a last datetime with time zones"))
    if problems:
        raise invalid(problems, options, "list_orders")
    return _list_orders(list_orders_call(page, per_page, plain(order_by), invoiced_date, plain(status)), options)


def _read_feed(call: Call, options: ClientOptions) -> Steps[tuple[FeedItem, ...]]:
    answer, attempts = yield from make_call(call, options, options.clock() + options.timeout)
    entries = _list_of(answer)
    if entries is None:
        raise unreadable("a list of feed items", answer, call, attempts, options)
    items = tuple(item for item in map(_feed_item, entries) if item is not None)
    if entries and not items:  # a feed of which nothing can be used is not an empty feed
        raise unreadable("feed items with an order id and a handle", answer, call, attempts, options)
    return items


def _commit_feed(handles: list[str], options: ClientOptions) -> Steps[None]:
    if handles:
        yield from make_call(commit_feed_call(handles), options, options.clock() + options.timeout)


def _read_configuration(options: ClientOptions, deadline: float) -> Steps[FeedConfiguration | None]:
    call = feed_configuration_call()
    try:
        answer, attempts = yield from make_call(call, options, deadline)
    except NotFoundError:  # VTEX documents the 404 of a key without a feed for the other operations only
        return None
    parsed = parse(answer, models.FeedConfiguration)
    filter_, queue = (None, None) if parsed is None else (parsed.filter_, parsed.queue)
    if not isinstance(filter_, models.FeedFilter) and not isinstance(queue, models.FeedQueue):
        raise unreadable("a configuration of a feed", answer, call, attempts, options)
    filter_ = filter_ if isinstance(filter_, models.FeedFilter) else models.FeedFilter()
    queue = queue if isinstance(queue, models.FeedQueue) else models.FeedQueue()
    statuses = filter_.status if isinstance(filter_.status, list) else []
    retention = _whole(queue.messageRetentionPeriodInSeconds)
    return FeedConfiguration(
        statuses=[status for status in statuses if isinstance(status, str)],
        visibility_timeout=_whole(queue.visibility_timeout_in_seconds),
        retention=_whole(queue.MessageRetentionPeriodInSeconds) if retention is None else retention,
        filter_type=_text(filter_.type_),
        expression=_text(filter_.expression),
    )


def _configure_feed(
    wanted: FeedConfiguration, replaces: FeedConfiguration | None, options: ClientOptions
) -> Steps[FeedConfiguration]:
    deadline = options.clock() + options.timeout
    current = yield from _read_configuration(options, deadline)
    if current is not None and current != replaces:
        return current
    assert wanted.visibility_timeout is not None  # noqa: S101 - checked before
    assert wanted.retention is not None  # noqa: S101 - checked before
    call = configure_feed_call(sorted(wanted.statuses), wanted.visibility_timeout, wanted.retention)
    yield from make_call(call, options, deadline)
    return wanted


def _list_orders(call: Call, options: ClientOptions) -> Steps[OrderPage]:
    answer, attempts = yield from make_call(call, options, options.clock() + options.timeout)
    parsed = parse(answer, models.OrderList)
    entries = parsed.list_ if parsed is not None else None
    paging = parsed.paging if parsed is not None else None
    if not isinstance(entries, list) or not isinstance(paging, models.Paging):
        raise unreadable("a list of orders", answer, call, attempts, options)
    numbers = [_whole(number) for number in (paging.current_page, paging.pages, paging.total)]
    if None in numbers:
        raise unreadable("a page of a list of orders", answer, call, attempts, options)
    order_ids = tuple(order.order_id for order in entries if isinstance(order.order_id, str))
    return OrderPage(order_ids, *(number or 0 for number in numbers))


def _list_of(answer: Answer) -> list[Any] | None:
    """Return a response's body if it is a list, else None."""
    try:
        document = json.loads(answer.body) if answer.complete else None
    except (ValueError, RecursionError) as error:
        raise_interruption(error)
        return None
    return document if isinstance(document, list) else None


def _feed_item(entry: object) -> FeedItem | None:
    """Return an item of the feed, or None if it cannot be used: without an order id or a handle."""
    item = models.FeedItem.from_dict(entry) if isinstance(entry, dict) else models.FeedItem()
    handle, order_id = _text(item.handle), _text(item.order_id)
    if not handle or not order_id:
        return None
    return FeedItem(
        event_id=_text(item.event_id),
        handle=handle,
        order_id=order_id,
        state=_text(item.state),
        changed_at=timestamp(_text(item.current_change)),
    )


def _configuration_problems(value: object) -> list[Problem]:
    if not isinstance(value, FeedConfiguration):
        return [Problem("configuration", f"{quoted(value)} is not a FeedConfiguration")]
    problems = []
    statuses: object = value.statuses  # at runtime it may be anything
    if not isinstance(statuses, frozenset) or not statuses or not all(isinstance(s, str) and s for s in statuses):
        problems.append(Problem("statuses", f"{quoted(statuses)} is not a list of order statuses, such as invoiced"))
    if value.filter_type != "FromWorkflow" or value.expression is not None:
        problems.append(Problem("filter_type", f"{quoted(value.filter_type)} cannot be sent; only FromWorkflow can"))
    shortest = constants.REQUESTED_QUEUE_VISIBILITY_TIMEOUT_IN_SECONDS_MINIMUM
    return [
        *problems,
        *_number_problems("visibility_timeout", value.visibility_timeout, shortest),
        *_number_problems(
            "retention",
            value.retention,
            constants.REQUESTED_QUEUE_MESSAGE_RETENTION_PERIOD_IN_SECONDS_MINIMUM,
            constants.REQUESTED_QUEUE_MESSAGE_RETENTION_PERIOD_IN_SECONDS_MAXIMUM,
        ),
    ]


def _number_problems(place: str, value: object, least: int, most: int | None = None) -> list[Problem]:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number and value >= least and (most is None or value <= most):  # type: ignore[operator]
        return []
    limits = f"from {least} to {most}" if most is not None else f"from {least}"
    return [Problem(place, f"{quoted(value)} is not a whole number {limits}")]


def _format_period(period: object) -> str:
    """Return a period as VTEX's filter writes it: both ends included, in UTC. Empty if it is not a valid period."""
    if not (isinstance(period, tuple) and all(isinstance(moment, dt.datetime) for moment in period)):
        return ""
    try:
        first, last = period
        if first > last or None in (first.utcoffset(), last.utcoffset()):
            return ""
        return f"invoicedDate:[{_milliseconds(first)} TO {_milliseconds(last)}]"
    except Exception as error:  # noqa: BLE001 - a time zone may be the caller's own class, and raise anything
        raise_interruption(error)
        return ""


def _milliseconds(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
