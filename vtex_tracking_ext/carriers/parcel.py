"""The return values of the functions of a source: packages and their events, as a payload has them. Pure."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - keeps the annotations resolvable
from collections.abc import Iterable  # noqa: TC003 - likewise

from attrs import frozen

from .event import PackageReference, Status
from .payload import Value  # noqa: TC001 - likewise


@frozen
class Parcel(PackageReference):
    """One package in a payload, with its values as the payload has them.

    Attributes:
        scans: The values of its history.
        not_delivered: The status of events whose code means a delivery, if the payload says that the package was
            returned or delivered only in part; otherwise None.
        note: The carrier's message in place of a history, such as that it does not know the package.
        receiver: The name and document of the receiver, which no text may contain.
    """

    scans: Iterable[Value] = ()
    not_delivered: Status | None = None
    note: str = ""
    receiver: tuple[str, ...] = ()


@frozen
class Scan:
    """One event in the history of a package, with its values as the payload has them.

    Attributes:
        code: The carrier's code.
        time: The time; naive if the carrier sends no offset.
        description: The carrier's text. If it is empty, the text of the code table is used.
        delivered_description: The text to use instead if the event is a delivery, because people type the description
            and may name the receiver; None to use the description.
        city: The city.
        state: The state.
        has_time: Whether the carrier sends the time of day.
        not_delivered: The status of the event if its code means a delivery but the payload says otherwise; or None.
        volume: The number of the volume.
        receiver: The name and document of the receiver, which no text may contain.
    """

    code: str
    time: dt.datetime
    description: str = ""
    delivered_description: str | None = None
    city: str = ""
    state: str = ""
    has_time: bool = True
    not_delivered: Status | None = None
    volume: str = ""
    receiver: tuple[str, ...] = ()
