"""Samples of carriers' payloads, and readings as lines that a test can compare."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.scratch import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from vtex_tracking_ext.carriers import CarrierEvent, Reading

SAMPLES = ROOT / "tests" / "carriers" / "samples"


def sample(name: str) -> Any:
    """Return a sample: a JSON document parsed, so that a test can change it, or any other file as bytes."""
    path = SAMPLES / name
    return json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else path.read_bytes()


def write_edi(folder: Path, invoice_number: str) -> None:
    """Write OCOREN.txt with two events of an invoice, the second one its delivery."""
    header = f"000{'TRANSPORTADORA MODELO':35}{'LOJA MODELO':35}0510260930OCO051009300"
    event = f"34299999999000191{'1':3}{invoice_number:>08}"
    lines = (header, f"{event}00011020260815  EM TRANSITO", f"{event}01051020261412  ENTREGUE NA PORTARIA")
    (folder / "OCOREN.txt").write_text("\r\n".join(lines), encoding="utf-8")


def line(event: CarrierEvent) -> str:
    """Return an event as a line: time, code, status (with ``!`` if it delivers the package), place, description."""
    time = event.occurred_at.isoformat(" ") if event.has_time else f"{event.date}"
    place = ", ".join(filter(None, (event.city, event.state))) or "-"
    return f"{time} {event.code} {event.status}{'!' * event.is_delivered} | {place} | {event.description}"


def lines(reading: Reading) -> list[str]:
    """Return the events of a reading as lines; see :func:`line`."""
    return [line(event) for event in reading.events]


def statuses(reading: Reading) -> list[str]:
    """Return the status of each event, with ``!`` if it delivers the package."""
    return [f"{event.status}{'!' * event.is_delivered}" for event in reading.events]
