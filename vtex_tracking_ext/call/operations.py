"""The operations as calls: what the generated client sends, and what messages say about it.

The generated functions' own request arguments (``_get_kwargs``) are used directly, without the HTTP client around them.
Their name is private to the generated modules, but safe to use: the generator's version is pinned, and
``scripts/regenerate`` refuses a generated tree in which one is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from attrs import frozen
from vtex_oms_client import constants
from vtex_oms_client.api.feed import commit_feed, configure_feed, get_feed_configuration, read_feed
from vtex_oms_client.api.invoice import send_tracking_number
from vtex_oms_client.api.orders import get_order, list_orders
from vtex_oms_client.api.tracking import update_tracking_status
from vtex_oms_client.models import (
    CommitFeedRequest,
    ConfigureFeedRequest,
    Event,
    RequestedQueue,
    SendTrackingNumberRequest,
    UpdateTrackingStatusRequest,
    WorkflowFilter,
)
from vtex_oms_client.types import UNSET

from .outcome import Subject
from .validation import format_delivered_date, format_event_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_tracking_ext.events import TrackingUpdate

#: Advice after a refusal of an operation on the feed.
_FEED_ADVICE: Final = {
    403: "The merchant must grant the key a role with the resource Feed v3 and Hook Admin",
    404: "The key has no feed: it was never configured, or VTEX removed it because nothing came; configure it",
}


@frozen
class Call:
    """One call of one operation.

    Attributes:
        kwargs: The arguments of the request, as the generated client gives them to httpx: method, url, headers, json.
        subject: What the call is about, for errors and the log.
    """

    kwargs: Mapping[str, Any]
    subject: Subject


def update_call(update: TrackingUpdate) -> Call:
    """Return the call that adds an update's events to its package."""
    body = UpdateTrackingStatusRequest(
        is_delivered=update.is_delivered,
        delivered_date=None if update.delivered_date is None else format_delivered_date(update.delivered_date),
        events=[
            Event(city=event.city, state=event.state, description=event.description, date=format_event_date(event.date))
            for event in update.events
        ],
    )
    kwargs = update_tracking_status._get_kwargs(update.order_id, update.invoice_number, body=body)  # noqa: SLF001 - above
    subject = Subject(
        "send",
        constants.UPDATE_TRACKING_STATUS_METHOD,
        constants.UPDATE_TRACKING_STATUS_PATH,
        writes=True,
        order_id=update.order_id,
        invoice_number=update.invoice_number,
    )
    return Call(kwargs, subject)


def tracking_number_call(order_id: str, invoice_number: str, body: SendTrackingNumberRequest) -> Call:
    """Return the call that registers a package's tracking number."""
    kwargs = send_tracking_number._get_kwargs(order_id, invoice_number, body=body)  # noqa: SLF001 - above
    subject = Subject(
        "set_tracking_number",
        constants.SEND_TRACKING_NUMBER_METHOD,
        constants.SEND_TRACKING_NUMBER_PATH,
        writes=True,
        order_id=order_id,
        invoice_number=invoice_number,
        advice={409: "Check the order's state"},
        if_unknown="Read the order, or send it again, which replaces the values",
    )
    return Call(kwargs, subject)


def order_call(order_id: str) -> Call:
    """Return the call that reads an order."""
    kwargs = get_order._get_kwargs(order_id)  # noqa: SLF001 - above
    subject = Subject(
        "get_packages", constants.GET_ORDER_METHOD, constants.GET_ORDER_PATH, writes=False, order_id=order_id
    )
    return Call(kwargs, subject)


def list_orders_call(page: int, per_page: int, order_by: str, invoiced_date: str | None, status: str | None) -> Call:
    """Return the call that lists orders; None leaves a filter out."""
    advice = {403: "The merchant must grant the key a role with the resource List Orders", 404: "Check the account"}
    subject = Subject(
        "list_orders", constants.LIST_ORDERS_METHOD, constants.LIST_ORDERS_PATH, writes=False, advice=advice
    )
    kwargs = list_orders._get_kwargs(  # noqa: SLF001 - above
        page=page,
        per_page=per_page,
        order_by=order_by,
        f_invoiced_date=invoiced_date or UNSET,
        f_status=status or UNSET,
    )
    return Call(_with_query(kwargs), subject)


def read_feed_call(max_items: int) -> Call:
    """Return the call that takes items from the feed."""
    kwargs = read_feed._get_kwargs(maxlot=max_items)  # noqa: SLF001 - above
    subject = Subject(
        "read_feed", constants.READ_FEED_METHOD, constants.READ_FEED_PATH, writes=False, advice=_FEED_ADVICE
    )
    return Call(_with_query(kwargs), subject)


def commit_feed_call(handles: list[str]) -> Call:
    """Return the call that removes items from the feed.

    It may be repeated: a handle names one event, and an event that is removed already stays removed.
    """
    subject = Subject(
        "commit_feed",
        constants.COMMIT_FEED_METHOD,
        constants.COMMIT_FEED_PATH,
        writes=True,
        advice=_FEED_ADVICE,
        if_unknown="Commit the items again; what was not removed comes again",
        repeats=True,
    )
    return Call(commit_feed._get_kwargs(body=CommitFeedRequest(handles)), subject)  # noqa: SLF001 - above


def feed_configuration_call() -> Call:
    """Return the call that reads the feed's configuration."""
    subject = Subject(
        "get_feed_configuration",
        constants.GET_FEED_CONFIGURATION_METHOD,
        constants.GET_FEED_CONFIGURATION_PATH,
        writes=False,
        advice=_FEED_ADVICE,
    )
    return Call(get_feed_configuration._get_kwargs(), subject)  # noqa: SLF001 - above


def configure_feed_call(statuses: list[str], visibility_timeout: int, retention: int) -> Call:
    """Return the call that creates or replaces the feed's configuration.

    It is not repeated: in the meantime, another system may have stored a configuration.
    """
    body = ConfigureFeedRequest(WorkflowFilter("FromWorkflow", statuses), RequestedQueue(visibility_timeout, retention))
    subject = Subject(
        "configure_feed",
        constants.CONFIGURE_FEED_METHOD,
        constants.CONFIGURE_FEED_PATH,
        writes=True,
        advice={**_FEED_ADVICE, 404: "Check the account", 409: "Check the filter of the configuration"},
        if_unknown="Read the feed's configuration before sending it again",
        repeats=False,
    )
    return Call(configure_feed._get_kwargs(body=body), subject)  # noqa: SLF001 - above


def _with_query(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of a request with its query in the URL, percent-encoded, as the transport sends it."""
    # Not quote_plus: VTEX's examples have %20 for a blank.
    return {**kwargs, "url": f"{kwargs['url']}?{urlencode(kwargs['params'], quote_via=quote)}"}
