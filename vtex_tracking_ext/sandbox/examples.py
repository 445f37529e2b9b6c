"""Example orders, and a file of carrier events for them. All data is fictitious."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .oms import Oms, OmsSettings

if TYPE_CHECKING:
    from collections.abc import Callable

_DATA: Final = Path(__file__).parent / "data"

#: Carrier events for the example orders, as a carrier exports them.
EXAMPLE_FILE: Final = _DATA / "events.csv"


#: Seconds since the example orders were invoiced: VTEX lists an order some minutes after it was.
_AGE: Final = 86_400.0


def with_examples(settings: OmsSettings | None = None, clock: Callable[[], float] = time.time) -> Oms:
    """Return an OMS with the example orders, which were invoiced a day ago."""
    oms = Oms(settings or OmsSettings(), clock, fill=_add_examples)
    oms.reset()
    return oms


def _add_examples(oms: Oms) -> None:
    at = oms.clock() - _AGE
    for order in json.loads((_DATA / "orders.json").read_text(encoding="utf-8")):
        oms.add_order(**order, at=at)
