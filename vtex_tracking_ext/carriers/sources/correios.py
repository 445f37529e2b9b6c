"""Correios: the answer of the SRO REST service. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "objetos" in document


def split(document: Value) -> Iterator[Value]:
    """Return the objects, each a package."""
    return document.items("objetos")


def read_parcel(value: Value) -> Parcel:
    """Return a package; one that Correios does not know has a message instead of a history."""
    code = value.required("codObjeto")
    message = value.text("mensagem")
    return Parcel(value.items("eventos"), tracking_code=code, note=f"{code}: {message}" if message else "")


def read_scan(value: Value) -> Scan:
    """Return an event. Its ``detalhe`` is not used, because it changes between two answers."""
    code, type_ = value.required("codigo"), value.required("tipo")
    address = value.get("unidade", "endereco")
    return Scan(
        code=f"{code}/{type_.zfill(2)}",
        time=iso_time(value, "dtHrCriado"),
        description=value.text("descricao"),
        city=address.text("cidade"),
        state=address.text("uf"),
        receiver=value.texts("recebedor"),  # whose shape is not documented
    )
