from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

T = TypeVar("T", bound="WorkflowFilter")


@_attrs_define
class WorkflowFilter:
    """
    Attributes:
        type_ (Literal['FromWorkflow']): Items for changes of an order's status.
        status (list[str]): The statuses that an item is made for, spelled as VTEX's workflow spells them.
    """

    type_: Literal["FromWorkflow"]
    status: list[str]

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        status = self.status

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "type": type_,
                "status": status,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = cast(Literal["FromWorkflow"], d.pop("type"))
        if type_ != "FromWorkflow":
            raise ValueError(f"type must match const 'FromWorkflow', got '{type_}'")

        status = cast(list[str], d.pop("status"))

        workflow_filter = cls(
            type_=type_,
            status=status,
        )

        return workflow_filter
