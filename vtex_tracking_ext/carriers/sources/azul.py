"""Azul Cargo: the answer of api/Ocorrencias/Consultar. Pure.

Codes below 100 are those of PROCEDA, as in OCOREN; the others are Azul's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "HasErrors" in document and "Value" in document


def split(document: Value) -> Iterator[Value]:
    """Yield the shipments, or the whole answer if it is an error."""
    if document.flag("HasErrors"):
        yield document
    else:
        yield from document.items("Value")


def read_parcel(value: Value) -> Parcel:
    """Return a shipment.

    Raises:
        PayloadError: The value is an answer that is an error, or a shipment without AWB.
    """
    if "HasErrors" in value:
        raise value.get("ErrorText").error(f"Azul answered with an error: {value.text('ErrorText') or 'no text'}")
    return Parcel(value.items("Ocorrencias"), tracking_code=value.required("Awb"))


def read_scan(value: Value) -> Scan:
    """Return an event. Its Comentario is not used, because people type it and may name the receiver."""
    return Scan(
        code=value.required("Codigo"),
        time=iso_time(value, "DataHora"),
        description=value.text("Descricao"),
        city=value.text("UnidadeMunicipio"),
        state=value.text("UnidadeUF") or value.text("UnidadeUf"),
    )
