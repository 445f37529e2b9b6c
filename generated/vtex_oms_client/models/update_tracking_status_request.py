from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define

if TYPE_CHECKING:
    from ..models.event import Event


T = TypeVar("T", bound="UpdateTrackingStatusRequest")


@_attrs_define
class UpdateTrackingStatusRequest:
    """
    Attributes:
        is_delivered (bool): Whether the package reached the shopper or the pickup point. Treat true as final.
        delivered_date (None | str): When the package was delivered, yyyy-mm-dd hh:mm or yyyy-mm-dd; null while it is on
            its way.
        events (list[Event]): What happened to the package, oldest first.
    """

    is_delivered: bool
    delivered_date: None | str
    events: list[Event]

    def to_dict(self) -> dict[str, Any]:
        is_delivered = self.is_delivered

        delivered_date: None | str
        delivered_date = self.delivered_date

        events = []
        for events_item_data in self.events:
            events_item = events_item_data.to_dict()
            events.append(events_item)

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "isDelivered": is_delivered,
                "deliveredDate": delivered_date,
                "events": events,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.event import Event  # noqa: PLC0415

        d = dict(src_dict)
        is_delivered = d.pop("isDelivered")

        def _parse_delivered_date(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        delivered_date = _parse_delivered_date(d.pop("deliveredDate"))

        events = []
        _events = d.pop("events")
        for events_item_data in _events:
            events_item = Event.from_dict(events_item_data)

            events.append(events_item)

        update_tracking_status_request = cls(
            is_delivered=is_delivered,
            delivered_date=delivered_date,
            events=events,
        )

        return update_tracking_status_request
