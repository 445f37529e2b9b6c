"""Contains all the data models used in inputs/outputs"""

from .commit_feed_request import CommitFeedRequest
from .configure_feed_request import ConfigureFeedRequest
from .courier_event import CourierEvent
from .courier_status import CourierStatus
from .event import Event
from .feed_configuration import FeedConfiguration
from .feed_filter import FeedFilter
from .feed_item import FeedItem
from .feed_queue import FeedQueue
from .listed_order import ListedOrder
from .order import Order
from .order_list import OrderList
from .package import Package
from .package_attachment import PackageAttachment
from .paging import Paging
from .receipt import Receipt
from .requested_queue import RequestedQueue
from .send_tracking_number_request import SendTrackingNumberRequest
from .update_tracking_status_request import UpdateTrackingStatusRequest
from .workflow_filter import WorkflowFilter

__all__ = (
    "CommitFeedRequest",
    "ConfigureFeedRequest",
    "CourierEvent",
    "CourierStatus",
    "Event",
    "FeedConfiguration",
    "FeedFilter",
    "FeedItem",
    "FeedQueue",
    "ListedOrder",
    "Order",
    "OrderList",
    "Package",
    "PackageAttachment",
    "Paging",
    "Receipt",
    "RequestedQueue",
    "SendTrackingNumberRequest",
    "UpdateTrackingStatusRequest",
    "WorkflowFilter",
)
