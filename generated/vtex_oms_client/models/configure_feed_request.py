from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define

if TYPE_CHECKING:
    from ..models.requested_queue import RequestedQueue
    from ..models.workflow_filter import WorkflowFilter


T = TypeVar("T", bound="ConfigureFeedRequest")


@_attrs_define
class ConfigureFeedRequest:
    """
    Attributes:
        filter_ (WorkflowFilter):
        queue (RequestedQueue):
    """

    filter_: WorkflowFilter
    queue: RequestedQueue

    def to_dict(self) -> dict[str, Any]:
        filter_ = self.filter_.to_dict()

        queue = self.queue.to_dict()

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "filter": filter_,
                "queue": queue,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.requested_queue import RequestedQueue  # noqa: PLC0415
        from ..models.workflow_filter import WorkflowFilter  # noqa: PLC0415

        d = dict(src_dict)
        filter_ = WorkflowFilter.from_dict(d.pop("filter"))

        queue = RequestedQueue.from_dict(d.pop("queue"))

        configure_feed_request = cls(
            filter_=filter_,
            queue=queue,
        )

        return configure_feed_request
