from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.package_attachment import PackageAttachment


T = TypeVar("T", bound="Order")


@_attrs_define
class Order:
    """
    Attributes:
        order_id (str | Unset): Order id.
        status (None | str | Unset): State of the order in its workflow; a tracking update does not change it.
        package_attachment (None | PackageAttachment | Unset):
    """

    order_id: str | Unset = UNSET
    status: None | str | Unset = UNSET
    package_attachment: None | PackageAttachment | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.package_attachment import PackageAttachment  # noqa: PLC0415

        order_id = self.order_id

        status: None | str | Unset
        if isinstance(self.status, Unset):
            status = UNSET
        else:
            status = self.status

        package_attachment: dict[str, Any] | None | Unset
        if isinstance(self.package_attachment, Unset):
            package_attachment = UNSET
        elif isinstance(self.package_attachment, PackageAttachment):
            package_attachment = self.package_attachment.to_dict()
        else:
            package_attachment = self.package_attachment

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if order_id is not UNSET:
            field_dict["orderId"] = order_id
        if status is not UNSET:
            field_dict["status"] = status
        if package_attachment is not UNSET:
            field_dict["packageAttachment"] = package_attachment

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.package_attachment import PackageAttachment  # noqa: PLC0415

        d = dict(src_dict)
        order_id = d.pop("orderId", UNSET)

        def _parse_status(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        status = _parse_status(d.pop("status", UNSET))

        def _parse_package_attachment(data: object) -> None | PackageAttachment | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                package_attachment_type_0 = PackageAttachment.from_dict(data)

                return package_attachment_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | PackageAttachment | Unset, data)

        package_attachment = _parse_package_attachment(d.pop("packageAttachment", UNSET))

        order = cls(
            order_id=order_id,
            status=status,
            package_attachment=package_attachment,
        )

        order.additional_properties = d
        return order

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
