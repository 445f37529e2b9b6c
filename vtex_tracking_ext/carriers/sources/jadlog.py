"""Jadlog: the answer of the tracking service. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "consulta" in document


def split(document: Value) -> Iterator[Value]:
    """Return the answers, each about one package."""
    return document.items("consulta")


def read_parcel(value: Value) -> Parcel:
    """Return a package; one that Jadlog does not find has an error instead of a history."""
    tracking, invoice = value.get("tracking"), value.get("df")
    code = tracking.text("codigo") or value.text("codigo") or value.text("cte") or value.text("shipmentId")
    error = value.get("error") if "error" in value else value.get("erro")
    return Parcel(
        tracking.items("eventos"),
        tracking_code=code,
        nfe_key=invoice.text("danfe"),
        issuer=invoice.text("cnpjRemetente"),
        series=invoice.text("serie"),
        invoice_number=invoice.text("nf"),
        order_reference=value.text("pedido"),
        note=f"{code}: {error.text('descricao')}" if error.content else "",
    )


def read_scan(value: Value) -> Scan:
    """Return an event. Its status is a word, and both its code and its text. Its unit is not a city."""
    status = value.required("status")
    return Scan(status, iso_time(value, "data"), description=status)
