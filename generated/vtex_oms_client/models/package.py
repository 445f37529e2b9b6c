from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.courier_status import CourierStatus


T = TypeVar("T", bound="Package")


@_attrs_define
class Package:
    """
    Attributes:
        invoice_number (None | str | Unset): Invoice number of the package.
        type_ (None | str | Unset): Output for a package on its way to the shopper, Input for a return.
        tracking_number (None | str | Unset): The carrier's tracking number.
        tracking_url (None | str | Unset): Address at which the shopper follows the package.
        courier (None | str | Unset): Name of the carrier.
        invoice_key (None | str | Unset): Key of the invoice as the merchant gave it, such as the 44 digits of a
            Brazilian NF-e.
        issuance_date (None | str | Unset): When the merchant issued the invoice, as VTEX stored it.
        courier_status (CourierStatus | None | Unset):
    """

    invoice_number: None | str | Unset = UNSET
    type_: None | str | Unset = UNSET
    tracking_number: None | str | Unset = UNSET
    tracking_url: None | str | Unset = UNSET
    courier: None | str | Unset = UNSET
    invoice_key: None | str | Unset = UNSET
    issuance_date: None | str | Unset = UNSET
    courier_status: CourierStatus | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.courier_status import CourierStatus  # noqa: PLC0415

        invoice_number: None | str | Unset
        if isinstance(self.invoice_number, Unset):
            invoice_number = UNSET
        else:
            invoice_number = self.invoice_number

        type_: None | str | Unset
        if isinstance(self.type_, Unset):
            type_ = UNSET
        else:
            type_ = self.type_

        tracking_number: None | str | Unset
        if isinstance(self.tracking_number, Unset):
            tracking_number = UNSET
        else:
            tracking_number = self.tracking_number

        tracking_url: None | str | Unset
        if isinstance(self.tracking_url, Unset):
            tracking_url = UNSET
        else:
            tracking_url = self.tracking_url

        courier: None | str | Unset
        if isinstance(self.courier, Unset):
            courier = UNSET
        else:
            courier = self.courier

        invoice_key: None | str | Unset
        if isinstance(self.invoice_key, Unset):
            invoice_key = UNSET
        else:
            invoice_key = self.invoice_key

        issuance_date: None | str | Unset
        if isinstance(self.issuance_date, Unset):
            issuance_date = UNSET
        else:
            issuance_date = self.issuance_date

        courier_status: dict[str, Any] | None | Unset
        if isinstance(self.courier_status, Unset):
            courier_status = UNSET
        elif isinstance(self.courier_status, CourierStatus):
            courier_status = self.courier_status.to_dict()
        else:
            courier_status = self.courier_status

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if invoice_number is not UNSET:
            field_dict["invoiceNumber"] = invoice_number
        if type_ is not UNSET:
            field_dict["type"] = type_
        if tracking_number is not UNSET:
            field_dict["trackingNumber"] = tracking_number
        if tracking_url is not UNSET:
            field_dict["trackingUrl"] = tracking_url
        if courier is not UNSET:
            field_dict["courier"] = courier
        if invoice_key is not UNSET:
            field_dict["invoiceKey"] = invoice_key
        if issuance_date is not UNSET:
            field_dict["issuanceDate"] = issuance_date
        if courier_status is not UNSET:
            field_dict["courierStatus"] = courier_status

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.courier_status import CourierStatus  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_invoice_number(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        invoice_number = _parse_invoice_number(d.pop("invoiceNumber", UNSET))

        def _parse_type_(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        type_ = _parse_type_(d.pop("type", UNSET))

        def _parse_tracking_number(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        tracking_number = _parse_tracking_number(d.pop("trackingNumber", UNSET))

        def _parse_tracking_url(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        tracking_url = _parse_tracking_url(d.pop("trackingUrl", UNSET))

        def _parse_courier(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        courier = _parse_courier(d.pop("courier", UNSET))

        def _parse_invoice_key(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        invoice_key = _parse_invoice_key(d.pop("invoiceKey", UNSET))

        def _parse_issuance_date(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        issuance_date = _parse_issuance_date(d.pop("issuanceDate", UNSET))

        def _parse_courier_status(data: object) -> CourierStatus | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                courier_status_type_0 = CourierStatus.from_dict(data)

                return courier_status_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(CourierStatus | None | Unset, data)

        courier_status = _parse_courier_status(d.pop("courierStatus", UNSET))

        package = cls(
            invoice_number=invoice_number,
            type_=type_,
            tracking_number=tracking_number,
            tracking_url=tracking_url,
            courier=courier,
            invoice_key=invoice_key,
            issuance_date=issuance_date,
            courier_status=courier_status,
        )

        package.additional_properties = d
        return package

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
