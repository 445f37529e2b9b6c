"""The same events through every entry."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import AsyncTrackingClient, TrackingClient, TrackingEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vtex_tracking_ext.sandbox import Oms

    from support.commands import Ran

ORDER, INVOICE = "1172452900788-01", "000030711"
ROWS = (
    ("2015-06-23", "Coletado pela transportadora", "Rio de Janeiro", "RJ"),
    ("2015-06-24", "A caminho de Curitiba", "S\u00e3o Paulo", "SP"),
)
EVENTS = [TrackingEvent(dt.date.fromisoformat(date), *rest) for date, *rest in ROWS]


@pytest.mark.usefixtures("account")
def test_every_entry_sends_the_same_request(run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
    """Both clients, the single command, CSV and JSON lines send byte-identical requests for the same events."""
    with TrackingClient.from_env() as client:
        client.mark_delivered(ORDER, INVOICE, delivered_date=dt.date(2015, 6, 24), events=EVENTS)

    async def asynchronously() -> None:
        async with AsyncTrackingClient.from_env() as client:
            await client.mark_delivered(ORDER, INVOICE, delivered_date="2015-06-24", events=iter(EVENTS))

    asyncio.run(asynchronously())
    events = [word for row in ROWS for word in ("--event", *row)]
    assert run("deliver", ORDER, INVOICE, "--delivered-date", "2015-06-24", *events).status == 0
    header = "order_id,invoice_number,date,description,city,state,is_delivered,delivered_date"
    lines = [
        ",".join((ORDER, INVOICE, *row, *delivery))
        for row, delivery in zip(ROWS, (("", ""), ("true", "2015-06-24")), strict=True)
    ]
    csv = tmp_path / "events.csv"
    csv.write_text("\n".join([header, *lines]), encoding="utf-8")
    assert run("push", "--journal", tmp_path / "csv.db", csv).status == 0
    keys = ("date", "description", "city", "state")
    objects = [{"orderId": ORDER, "invoiceNumber": INVOICE, **dict(zip(keys, row, strict=True))} for row in ROWS]
    objects[1] |= {"isDelivered": True, "deliveredDate": "2015-06-24"}  # type: ignore[dict-item]
    jsonl = tmp_path / "events.jsonl"
    jsonl.write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    assert run("push", "--journal", tmp_path / "jsonl.db", jsonl).status == 0

    assert len(oms.received) == 5
    ignored = {"host", "connection"}
    sent = {
        (
            request.method,
            request.path,
            request.body,
            tuple((k, v) for k, v in request.headers.items() if k not in ignored),
        )
        for request in oms.received
    }
    assert len(sent) == 1
