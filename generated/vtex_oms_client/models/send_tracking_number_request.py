from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

T = TypeVar("T", bound="SendTrackingNumberRequest")


@_attrs_define
class SendTrackingNumberRequest:
    """
    Attributes:
        tracking_number (str): The carrier's tracking number.
        tracking_url (None | str): Address at which the shopper follows the package.
        dispatched_date (None | str): When the package was dispatched, in ISO 8601.
        courier (None | str): Name of the carrier.
    """

    tracking_number: str
    tracking_url: None | str
    dispatched_date: None | str
    courier: None | str

    def to_dict(self) -> dict[str, Any]:
        tracking_number = self.tracking_number

        tracking_url: None | str
        tracking_url = self.tracking_url

        dispatched_date: None | str
        dispatched_date = self.dispatched_date

        courier: None | str
        courier = self.courier

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "trackingNumber": tracking_number,
                "trackingUrl": tracking_url,
                "dispatchedDate": dispatched_date,
                "courier": courier,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        tracking_number = d.pop("trackingNumber")

        def _parse_tracking_url(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        tracking_url = _parse_tracking_url(d.pop("trackingUrl"))

        def _parse_dispatched_date(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        dispatched_date = _parse_dispatched_date(d.pop("dispatchedDate"))

        def _parse_courier(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        courier = _parse_courier(d.pop("courier"))

        send_tracking_number_request = cls(
            tracking_number=tracking_number,
            tracking_url=tracking_url,
            dispatched_date=dispatched_date,
            courier=courier,
        )

        return send_tracking_number_request
