from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

T = TypeVar("T", bound="CommitFeedRequest")


@_attrs_define
class CommitFeedRequest:
    """
    Attributes:
        handles (list[str]): Handles of the items.
    """

    handles: list[str]

    def to_dict(self) -> dict[str, Any]:
        handles = self.handles

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "handles": handles,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        handles = cast(list[str], d.pop("handles"))

        commit_feed_request = cls(
            handles=handles,
        )

        return commit_feed_request
