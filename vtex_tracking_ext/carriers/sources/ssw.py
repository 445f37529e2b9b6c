"""SSW: the answer of the tracking service of the system that most Brazilian freight carriers use. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.places import city_and_state
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.carriers.payload import Value

#: The number at the end of an occurrence, such as ``MERCADORIA ENTREGUE (01)``, which is the carrier's own and can
#: differ from ``codigo_ssw``.
_NUMBER: Final = re.compile(r"\((\d{1,4})\)\Z")

#: The invoice, with or without its series: ``30711`` or ``1 30711``.
_INVOICE: Final = re.compile(r"(?:(\w{1,3})\s+)?(\d+)")


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source. If SSW finds no invoice, it sends only a message."""
    if "success" not in document:
        return False
    keys = set(document.content)
    return bool(keys & {"documento", "documentos", "tracking"}) or keys == {"success", "message"}


def split(document: Value) -> Iterable[Value]:
    """Return the documents, each about one invoice, or the whole answer if it contains no document."""
    return [*document.items("documento"), *document.items("documentos")] or [document]


def read_parcel(value: Value) -> Parcel:
    """Return an invoice; an answer without a document has a message instead."""
    header = value.get("header")
    invoice = _INVOICE.fullmatch(header.text("nro_nf"))
    return Parcel(
        value.items("tracking"),
        series=(invoice and invoice[1]) or "",
        invoice_number=invoice[2] if invoice else "",
        order_reference=header.text("pedido"),
        note="" if "tracking" in value else value.text("message"),
    )


def read_scan(value: Value) -> Scan:
    """Return an event. Its ``descricao`` is not used, because it can name the receiver."""
    text = value.text("ocorrencia")
    number = _NUMBER.search(text)
    city, state = city_and_state(value.text("cidade"), "/")
    return Scan(
        value.text("codigo_ssw") or (number[1] if number else value.required("codigo_ssw")),
        iso_time(value, "data_hora_efetiva" if value.has("data_hora_efetiva") else "data_hora"),
        description=text[: number.start()] if number else text,
        city=city,
        state=state,
        receiver=value.texts("nome_recebedor") + value.texts("nro_doc_recebedor"),
    )
