"""The three operations as calls: what the generated client sends, and what messages say about it.

The generated functions' own request arguments (``_get_kwargs``) are used directly, without the HTTP client around them.
Their name is private to the generated modules, but safe to use: the generator's version is pinned, and
``scripts/regenerate`` refuses a generated tree in which one is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from vtex_oms_client import constants
from vtex_oms_client.api.invoice import send_tracking_number
from vtex_oms_client.api.orders import get_order
from vtex_oms_client.api.tracking import update_tracking_status
from vtex_oms_client.models import Event, SendTrackingNumberRequest, UpdateTrackingStatusRequest

from .outcome import Subject
from .validation import format_delivered_date, format_event_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_tracking_ext.events import TrackingUpdate


@frozen
class Call:
    """One call of one operation.

    Attributes:
        kwargs: The arguments of the request, as the generated client gives them to httpx: method, url, headers, json.
        subject: What the call is about, for messages.
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
    subject = Subject(constants.UPDATE_TRACKING_STATUS_METHOD, constants.UPDATE_TRACKING_STATUS_PATH, writes=True)
    return Call(kwargs, subject)


def tracking_number_call(order_id: str, invoice_number: str, body: SendTrackingNumberRequest) -> Call:
    """Return the call that registers a package's tracking number."""
    kwargs = send_tracking_number._get_kwargs(order_id, invoice_number, body=body)  # noqa: SLF001 - above
    subject = Subject(constants.SEND_TRACKING_NUMBER_METHOD, constants.SEND_TRACKING_NUMBER_PATH, writes=True)
    return Call(kwargs, subject)


def order_call(order_id: str) -> Call:
    """Return the call that reads an order."""
    kwargs = get_order._get_kwargs(order_id)  # noqa: SLF001 - above
    return Call(kwargs, Subject(constants.GET_ORDER_METHOD, constants.GET_ORDER_PATH, writes=False))
