"""The three operations as values: which generated function, with which models, and what they are about. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from vtex_oms_client import constants
from vtex_oms_client.api.invoice import send_tracking_number
from vtex_oms_client.api.orders import get_order
from vtex_oms_client.api.tracking import update_tracking_status
from vtex_oms_client.models import Event, SendTrackingNumberRequest, UpdateTrackingStatusRequest

from .checks import format_delivered_date, format_event_date
from .outcome import Subject

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from vtex_oms_client.types import Response

    from vtex_tracking_ext.events import TrackingUpdate


@frozen
class Call:
    """One call of one operation.

    Attributes:
        sync: The generated function for a synchronous client.
        asyncio: Its asynchronous twin.
        arguments: What both take, ``client`` apart.
        subject: What it is about, for messages.
    """

    sync: Callable[..., Response[Any]]
    asyncio: Callable[..., Awaitable[Response[Any]]]
    arguments: Mapping[str, Any]
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
    return Call(
        sync=update_tracking_status.sync_detailed,
        asyncio=update_tracking_status.asyncio_detailed,
        arguments={"order_id": update.order_id, "invoice_number": update.invoice_number, "body": body},
        subject=Subject(constants.UPDATE_TRACKING_STATUS_METHOD, constants.UPDATE_TRACKING_STATUS_PATH, writes=True),
    )


def tracking_number_call(order_id: str, invoice_number: str, body: SendTrackingNumberRequest) -> Call:
    """Return the call that registers a package's tracking number."""
    return Call(
        sync=send_tracking_number.sync_detailed,
        asyncio=send_tracking_number.asyncio_detailed,
        arguments={"order_id": order_id, "invoice_number": invoice_number, "body": body},
        subject=Subject(constants.SEND_TRACKING_NUMBER_METHOD, constants.SEND_TRACKING_NUMBER_PATH, writes=True),
    )


def order_call(order_id: str) -> Call:
    """Return the call that reads an order."""
    return Call(
        sync=get_order.sync_detailed,
        asyncio=get_order.asyncio_detailed,
        arguments={"order_id": order_id},
        subject=Subject(constants.GET_ORDER_METHOD, constants.GET_ORDER_PATH, writes=False),
    )
