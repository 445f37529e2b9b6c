"""Read what carriers deliver: webhooks, answers of polling services, and EDI files, as events with a status.

::

    from vtex_tracking_ext.carriers import read

    reading = read("correios", payload)  # bytes, text, or parsed JSON
    reading.events, reading.problems, reading.unknown_codes

Each source is a module of plain functions and a code table in ``sources/``.
"""

from __future__ import annotations

from .codes import CarrierOptions, CodeTable, load_table
from .event import CarrierEvent, Reading, ReadingMessage, Status
from .payload import PayloadError
from .reader import read, recognise
from .registry import SOURCES

__all__ = [
    "SOURCES",
    "CarrierEvent",
    "CarrierOptions",
    "CodeTable",
    "PayloadError",
    "Reading",
    "ReadingMessage",
    "Status",
    "load_table",
    "read",
    "recognise",
]
