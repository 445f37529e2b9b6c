from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="FeedItem")


@_attrs_define
class FeedItem:
    """
    Attributes:
        event_id (str | Unset): Id of the event.
        handle (str | Unset): What to commit the item by.
        order_id (str | Unset): Order id in the account of the feed.
        state (None | str | Unset): State that the order has reached.
        current_change (None | str | Unset): When the order reached the state; ISO 8601 in UTC.
    """

    event_id: str | Unset = UNSET
    handle: str | Unset = UNSET
    order_id: str | Unset = UNSET
    state: None | str | Unset = UNSET
    current_change: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        event_id = self.event_id

        handle = self.handle

        order_id = self.order_id

        state: None | str | Unset
        if isinstance(self.state, Unset):
            state = UNSET
        else:
            state = self.state

        current_change: None | str | Unset
        if isinstance(self.current_change, Unset):
            current_change = UNSET
        else:
            current_change = self.current_change

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if event_id is not UNSET:
            field_dict["eventId"] = event_id
        if handle is not UNSET:
            field_dict["handle"] = handle
        if order_id is not UNSET:
            field_dict["orderId"] = order_id
        if state is not UNSET:
            field_dict["state"] = state
        if current_change is not UNSET:
            field_dict["currentChange"] = current_change

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        event_id = d.pop("eventId", UNSET)

        handle = d.pop("handle", UNSET)

        order_id = d.pop("orderId", UNSET)

        def _parse_state(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        state = _parse_state(d.pop("state", UNSET))

        def _parse_current_change(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        current_change = _parse_current_change(d.pop("currentChange", UNSET))

        feed_item = cls(
            event_id=event_id,
            handle=handle,
            order_id=order_id,
            state=state,
            current_change=current_change,
        )

        feed_item.additional_properties = d
        return feed_item

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
