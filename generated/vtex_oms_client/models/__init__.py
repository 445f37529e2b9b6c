"""Contains all the data models used in inputs/outputs"""

from .courier_event import CourierEvent
from .courier_status import CourierStatus
from .event import Event
from .order import Order
from .package import Package
from .package_attachment import PackageAttachment
from .receipt import Receipt
from .send_tracking_number_request import SendTrackingNumberRequest
from .update_tracking_status_request import UpdateTrackingStatusRequest

__all__ = (
    "CourierEvent",
    "CourierStatus",
    "Event",
    "Order",
    "Package",
    "PackageAttachment",
    "Receipt",
    "SendTrackingNumberRequest",
    "UpdateTrackingStatusRequest",
)
