"""Andreani: the history (trazas) and the state (estado) of a shipment. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "eventos" in document or ("estadoId" in document and "fechaEstado" in document)


def split(document: Value) -> Iterator[Value]:
    """Yield the one shipment."""
    yield document


def read_parcel(value: Value) -> Parcel:
    """Return the shipment; a history does not contain its number, unless somebody added it."""
    number = value.text("numeroDeTracking")
    scans = [*value.items("eventos")] if "eventos" in value else [value]
    note = "the history does not name its shipment; add its number to it as numeroDeTracking"
    return Parcel(scans, tracking_code=number, note=note if scans and not number else "")


def read_scan(value: Value) -> Scan:
    """Return an event of a history, or the state. ``Sucursal`` is a branch, not a city."""
    if "estadoId" in value:
        return Scan(value.required("estadoId"), iso_time(value, "fechaEstado"), value.text("estado"))
    return Scan(
        code=value.required("EstadoId"),
        time=iso_time(value, "Fecha"),
        description=value.text("Traduccion") or value.text("Estado"),
    )
