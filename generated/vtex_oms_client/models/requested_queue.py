from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define

T = TypeVar("T", bound="RequestedQueue")


@_attrs_define
class RequestedQueue:
    """
    Attributes:
        visibility_timeout_in_seconds (int): How long an item is hidden after it was read.
        message_retention_period_in_seconds (int): How long an item stays in the feed, and the feed without new items.
    """

    visibility_timeout_in_seconds: int
    message_retention_period_in_seconds: int

    def to_dict(self) -> dict[str, Any]:
        visibility_timeout_in_seconds = self.visibility_timeout_in_seconds

        message_retention_period_in_seconds = self.message_retention_period_in_seconds

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "visibilityTimeoutInSeconds": visibility_timeout_in_seconds,
                "MessageRetentionPeriodInSeconds": message_retention_period_in_seconds,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        visibility_timeout_in_seconds = d.pop("visibilityTimeoutInSeconds")

        message_retention_period_in_seconds = d.pop("MessageRetentionPeriodInSeconds")

        requested_queue = cls(
            visibility_timeout_in_seconds=visibility_timeout_in_seconds,
            message_retention_period_in_seconds=message_retention_period_in_seconds,
        )

        return requested_queue
