"""Total Express: the SOAP answer of ObterTracking. Pure.

A package that Total Express hands over to Correios also has events of Correios, with the tipo and status of its SRO.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time, local_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value

_BODY = ("Envelope", "Body")

#: CodigoProc of an answer with events.
_PROCESSED = "1"


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source. A SOAP fault has, so that its message is reported."""
    return document.has(*_BODY, "ObterTrackingResponse") or document.has(*_BODY, "Fault")


def split(document: Value) -> Iterator[Value]:
    """Yield the packages of all lots, or the whole answer if it is an error."""
    body = document.get(*_BODY)
    answer = body.get("ObterTrackingResponse")
    if "ObterTrackingResponse" in answer:
        answer = answer.get("ObterTrackingResponse")
    if "Fault" in body:
        yield body.get("Fault")
    if answer.text("CodigoProc") not in {"", _PROCESSED}:
        yield answer
    for lot in answer.items("ArrayLoteRetorno", "item"):
        yield from lot.items("ArrayEncomendaRetorno", "item")


def read_parcel(value: Value) -> Parcel:
    """Return a package. The manual and the service name two fields differently.

    Raises:
        PayloadError: The value is an answer that is an error, or a package without AWB.
    """
    if "faultstring" in value or "CodigoProc" in value:
        text = value.text("faultstring") or f"CodigoProc {value.text('CodigoProc')}"
        raise value.error(f"Total Express answered with an error: {text}")
    return Parcel(
        [*value.items("ArrayStatusTotal", "item"), *value.items("ArrayStatusEct", "item")],
        tracking_code=value.text("AWB") or value.required("Awb"),
        series=value.text("NotaFiscalSerie") or value.text("SerieNotaFiscal"),
        invoice_number=value.text("NotaFiscal"),
        order_reference=value.text("Pedido"),
    )


def read_scan(value: Value) -> Scan:
    """Return an event of Total Express or of Correios."""
    if "EctTipo" in value:
        time = f"{value.required('EctData')}T{value.required('EctHora')}"
        return Scan(
            code=f"{value.required('EctTipo')}/{value.required('EctStatus').zfill(2)}",
            time=local_time(value.get("EctHora"), time, "%Y-%m-%dT%H:%M:%S", "2026-10-05 and 14:12:09"),
            description=value.text("EctDescricao"),
            city=value.text("EctCidade"),
            state=value.text("EctUf"),
        )
    text = value.text("DescStatus")
    return Scan(
        code=value.required("CodStatus"),
        time=iso_time(value, "DataStatus"),
        description=text,
        delivered_description=text.partition(" - ")[0],  # people type what follows
    )
