"""Kangu: the current state (situacao) of a package. Pure.

Its list ``historico`` is not read: no public document or code tells whether its events have codes.
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
    return "situacao" in document and ("historico" in document or document.has("situacao", "shipmentStatus"))


def split(document: Value) -> Iterator[Value]:
    """Yield the one package."""
    yield document


def read_parcel(value: Value) -> Parcel:
    """Return the package; the answer does not contain its tracking code, unless somebody added it."""
    code, state = value.text("codigo"), value.get("situacao")
    has_time = state.has("dataHora")
    notes = (
        "" if code else "the answer does not name its package; add the tracking code to it as codigo",
        "" if has_time else f"no event, because the state has no time: {state.text('shipmentStatus')}",
    )
    return Parcel([state] if has_time else (), tracking_code=code, note="; ".join(filter(None, notes)))


def read_scan(value: Value) -> Scan:
    """Return the state."""
    return Scan(
        code=value.required("shipmentStatus"),
        time=iso_time(value, "dataHora"),
        description=value.text("ocorrencia"),
    )
