from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define

T = TypeVar("T", bound="Event")


@_attrs_define
class Event:
    """
    Attributes:
        city (str): City; empty where the carrier does not tell.
        state (str): State, such as RJ; empty where the carrier does not tell.
        description (str): What the shopper reads.
        date (str): Calendar date of the event as the carrier wrote it, yyyy-mm-dd.
    """

    city: str
    state: str
    description: str
    date: str

    def to_dict(self) -> dict[str, Any]:
        city = self.city

        state = self.state

        description = self.description

        date = self.date

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "city": city,
                "state": state,
                "description": description,
                "date": date,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        city = d.pop("city")

        state = d.pop("state")

        description = d.pop("description")

        date = d.pop("date")

        event = cls(
            city=city,
            state=state,
            description=description,
            date=date,
        )

        return event
