"""Made-up entries of a journal."""

from __future__ import annotations

import datetime as dt
from typing import Any

from attrs import evolve

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.entries import Entry, PackageKey, State

ADDED = dt.datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=dt.UTC)
SETTLED = dt.datetime(2026, 11, 23, 12, 5, tzinfo=dt.UTC)

#: Texts that are dangerous to show unescaped.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}",
    '=HYPERLINK("http://evil.example","x")',
    "\tcmd|' /C calc'!A0",
    "\u202egpj.exe",
    "a\x00b",
    "\x1b[31mred\x1b[0m",
    "line\r\nX-Header: y\u2028z",
    "half \ud83d of a pair",
    "x" * 500_000,
)


def entry(id_: int = 1, state: State = "applied", **changes: Any) -> Entry:
    """Return an entry: an event, or a delivery if ``event`` is None."""
    plain = Entry(
        id=id_,
        package=PackageKey("mystore", "1172452900788-01", "000030711"),
        event=TrackingEvent("2026-10-05", "Objeto postado", "S\u00e3o Paulo", "SP"),
        delivered_date=None,
        place=Place("events.csv", id_ + 1),
        state=state,
        attempts=0 if state == "pending" else 1,
        status_code=None,
        receipt=None,
        reason="",
        added=ADDED,
        begun=None if state == "pending" else ADDED,
        settled=None if state in {"pending", "in_flight"} else SETTLED,
    )
    return evolve(plain, **changes)


def hostile(text: str, state: State = "refused") -> Entry:
    """Return an entry whose texts are all the same."""
    return entry(
        state=state,
        package=PackageKey(text, text, text),
        event=TrackingEvent(text, text, text, text),
        place=Place(text, 2),
        reason=text,
        receipt=text,
    )
