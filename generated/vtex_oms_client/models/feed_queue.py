from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="FeedQueue")


@_attrs_define
class FeedQueue:
    """
    Attributes:
        visibility_timeout_in_seconds (int | Unset): How long an item is hidden after it was read.
        messageRetentionPeriodInSeconds (int | Unset): How long an item stays in the feed, and the feed without new
            items.
        MessageRetentionPeriodInSeconds (int | Unset): The same under the name of the request.
    """

    visibility_timeout_in_seconds: int | Unset = UNSET
    messageRetentionPeriodInSeconds: int | Unset = UNSET
    MessageRetentionPeriodInSeconds: int | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        visibility_timeout_in_seconds = self.visibility_timeout_in_seconds

        messageRetentionPeriodInSeconds = self.messageRetentionPeriodInSeconds

        MessageRetentionPeriodInSeconds = self.MessageRetentionPeriodInSeconds

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if visibility_timeout_in_seconds is not UNSET:
            field_dict["visibilityTimeoutInSeconds"] = visibility_timeout_in_seconds
        if messageRetentionPeriodInSeconds is not UNSET:
            field_dict["messageRetentionPeriodInSeconds"] = messageRetentionPeriodInSeconds
        if MessageRetentionPeriodInSeconds is not UNSET:
            field_dict["MessageRetentionPeriodInSeconds"] = MessageRetentionPeriodInSeconds

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        visibility_timeout_in_seconds = d.pop("visibilityTimeoutInSeconds", UNSET)

        messageRetentionPeriodInSeconds = d.pop("messageRetentionPeriodInSeconds", UNSET)

        MessageRetentionPeriodInSeconds = d.pop("MessageRetentionPeriodInSeconds", UNSET)

        feed_queue = cls(
            visibility_timeout_in_seconds=visibility_timeout_in_seconds,
            messageRetentionPeriodInSeconds=messageRetentionPeriodInSeconds,
            MessageRetentionPeriodInSeconds=MessageRetentionPeriodInSeconds,
        )

        feed_queue.additional_properties = d
        return feed_queue

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
