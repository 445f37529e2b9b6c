from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.courier_event import CourierEvent


T = TypeVar("T", bound="CourierStatus")


@_attrs_define
class CourierStatus:
    """
    Attributes:
        status (None | str | Unset): Stays unknown whatever is sent; read finished instead.
        finished (bool | None | Unset): Whether the package was reported as delivered.
        delivered_date (None | str | Unset): When it was delivered, as VTEX stored it.
        data (list[CourierEvent] | None | Unset): The package's tracking events, newest first.
    """

    status: None | str | Unset = UNSET
    finished: bool | None | Unset = UNSET
    delivered_date: None | str | Unset = UNSET
    data: list[CourierEvent] | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: None | str | Unset
        if isinstance(self.status, Unset):
            status = UNSET
        else:
            status = self.status

        finished: bool | None | Unset
        if isinstance(self.finished, Unset):
            finished = UNSET
        else:
            finished = self.finished

        delivered_date: None | str | Unset
        if isinstance(self.delivered_date, Unset):
            delivered_date = UNSET
        else:
            delivered_date = self.delivered_date

        data: list[dict[str, Any]] | None | Unset
        if isinstance(self.data, Unset):
            data = UNSET
        elif isinstance(self.data, list):
            data = []
            for data_type_0_item_data in self.data:
                data_type_0_item = data_type_0_item_data.to_dict()
                data.append(data_type_0_item)

        else:
            data = self.data

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if status is not UNSET:
            field_dict["status"] = status
        if finished is not UNSET:
            field_dict["finished"] = finished
        if delivered_date is not UNSET:
            field_dict["deliveredDate"] = delivered_date
        if data is not UNSET:
            field_dict["data"] = data

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.courier_event import CourierEvent  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_status(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        status = _parse_status(d.pop("status", UNSET))

        def _parse_finished(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        finished = _parse_finished(d.pop("finished", UNSET))

        def _parse_delivered_date(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        delivered_date = _parse_delivered_date(d.pop("deliveredDate", UNSET))

        def _parse_data(data: object) -> list[CourierEvent] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                data_type_0 = []
                _data_type_0 = data
                for data_type_0_item_data in _data_type_0:
                    data_type_0_item = CourierEvent.from_dict(data_type_0_item_data)

                    data_type_0.append(data_type_0_item)

                return data_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[CourierEvent] | None | Unset, data)

        data = _parse_data(d.pop("data", UNSET))

        courier_status = cls(
            status=status,
            finished=finished,
            delivered_date=delivered_date,
            data=data,
        )

        courier_status.additional_properties = d
        return courier_status

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
