from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.feed_filter import FeedFilter
    from ..models.feed_queue import FeedQueue


T = TypeVar("T", bound="FeedConfiguration")


@_attrs_define
class FeedConfiguration:
    """
    Attributes:
        filter_ (FeedFilter | None | Unset):
        queue (FeedQueue | None | Unset):
    """

    filter_: FeedFilter | None | Unset = UNSET
    queue: FeedQueue | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.feed_filter import FeedFilter  # noqa: PLC0415
        from ..models.feed_queue import FeedQueue  # noqa: PLC0415

        filter_: dict[str, Any] | None | Unset
        if isinstance(self.filter_, Unset):
            filter_ = UNSET
        elif isinstance(self.filter_, FeedFilter):
            filter_ = self.filter_.to_dict()
        else:
            filter_ = self.filter_

        queue: dict[str, Any] | None | Unset
        if isinstance(self.queue, Unset):
            queue = UNSET
        elif isinstance(self.queue, FeedQueue):
            queue = self.queue.to_dict()
        else:
            queue = self.queue

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if filter_ is not UNSET:
            field_dict["filter"] = filter_
        if queue is not UNSET:
            field_dict["queue"] = queue

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.feed_filter import FeedFilter  # noqa: PLC0415
        from ..models.feed_queue import FeedQueue  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_filter_(data: object) -> FeedFilter | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                filter_type_0 = FeedFilter.from_dict(data)

                return filter_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(FeedFilter | None | Unset, data)

        filter_ = _parse_filter_(d.pop("filter", UNSET))

        def _parse_queue(data: object) -> FeedQueue | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                queue_type_0 = FeedQueue.from_dict(data)

                return queue_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(FeedQueue | None | Unset, data)

        queue = _parse_queue(d.pop("queue", UNSET))

        feed_configuration = cls(
            filter_=filter_,
            queue=queue,
        )

        feed_configuration.additional_properties = d
        return feed_configuration

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
