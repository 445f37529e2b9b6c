"""What is recorded and replayed: each case is a few calls of a client, and what must come of them.

The cases use VTEX's public example values; recording against another order replaces them and puts them back.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from attrs import frozen

from vtex_tracking_ext import TrackingEvent, TrackingUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "apiexamples"
ORDER, INVOICE = "1172452900788-01", "000030711"
UNKNOWN_ORDER = "9999999999999-01"

EVENTS = (
    TrackingEvent(dt.date(2015, 6, 23), "Coletado pela transportadora", "Rio de Janeiro", "RJ"),
    TrackingEvent(dt.date(2015, 6, 24), "A caminho de Curitiba", "Sao Paulo", "SP"),
)


@frozen
class Case:
    """One cassette.

    Attributes:
        name: Its name, and the cassette's.
        method: The client's method.
        arguments: What it is called with.
        error: Name of the error it ends in, or None.
        credentials: ``good``, or ``wrong`` for a key nobody knows.
        delivers: Whether it reports a delivery, which cannot be taken back.
    """

    name: str
    method: str
    arguments: Mapping[str, Any]
    error: str | None = None
    credentials: str = "good"
    delivers: bool = False


_UPDATE = TrackingUpdate(ORDER, INVOICE, EVENTS)

CASES = (
    Case("update", "send", {"update": _UPDATE}),
    Case(
        "delivery",
        "mark_delivered",
        {
            "order_id": ORDER,
            "invoice_number": INVOICE,
            "delivered_date": dt.datetime(2022, 10, 1, 21, 15),  # noqa: DTZ001 - VTEX's own example, a local time
            "events": EVENTS,
        },
        delivers=True,
    ),
    Case("unauthorized", "send", {"update": _UPDATE}, error="AuthenticationError", credentials="wrong"),
    Case("not_found", "send", {"update": TrackingUpdate(UNKNOWN_ORDER, INVOICE, EVENTS)}, error="NotFoundError"),
)
