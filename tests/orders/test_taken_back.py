"""Polls of a carrier that takes a delivery back, from its payload to VTEX."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.bulk import push
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.carriers import read
from vtex_tracking_ext.orders import OrderIndex, OrderPackage, carrier_rows

from support.journaled import Account, Clock

if TYPE_CHECKING:
    from pathlib import Path

CODE = "QB000000018BR"
ORDERS = OrderIndex([OrderPackage("1001-01", "000030711", tracking_number=CODE)])

#: Code, time and description of events, oldest first.
OUT = ("OEC/01", "2026-09-17T11:00:00", "Objeto saiu para entrega")
DELIVERED = ("BDE/01", "2026-09-17T12:00:00", "Objeto entregue")
VOID = ("EST/01", "2026-09-17T12:20:00", "Favor desconsiderar a informa\u00e7\u00e3o anterior")
AGAIN = ("BDE/01", "2026-09-17T15:00:00", "Objeto entregue")


def payload(*events: tuple[str, str, str]) -> dict[str, Any]:
    """Return an answer of Correios, newest event first."""
    found = [
        {"codigo": code.partition("/")[0], "tipo": code.partition("/")[2], "dtHrCriado": time, "descricao": text}
        for code, time, text in reversed(events)
    ]
    return {"objetos": [{"codObjeto": CODE, "eventos": found}]}


def test_delivery_that_is_taken_back_is_not_sent_and_the_next_one_is(tmp_path: Path) -> None:
    """Each poll has the whole history. Times are those of Bras\u00edlia; a delivery is held for an hour."""
    clock, account = Clock(), Account()
    client: Any = account

    def poll(hour: str, *events: tuple[str, str, str]) -> tuple[list[str], int]:
        """Push what Correios tells at a time of the day, and return all that was sent, and how much is held."""
        clock.now = dt.datetime.fromisoformat(f"2026-09-17T{hour}-03:00")
        rows = carrier_rows(read("correios", payload(*events)), orders=ORDERS, now=clock.now)
        with SqliteJournal.open(tmp_path / "journal.db", clock) as journal:
            result = push(rows, client, journal, options=DeliveryOptions(recheck_delays=()), now=clock.now)
        assert result.problems == ()
        return " / ".join(account.sent).split(" / "), result.held

    out, delivered, void = OUT[2], DELIVERED[2], VOID[2]
    assert poll("12:10", OUT, DELIVERED) == ([f"{out} {delivered}"], 1)
    assert poll("12:30", OUT, DELIVERED, VOID) == ([f"{out} {delivered}", void], 0)
    assert poll("14:00", OUT, DELIVERED, VOID)[0][2:] == []
    assert poll("15:10", OUT, DELIVERED, VOID, AGAIN) == ([f"{out} {delivered}", void, delivered], 1)
    assert poll("15:50", OUT, DELIVERED, VOID, AGAIN)[1] == 1
    assert poll("16:00", OUT, DELIVERED, VOID, AGAIN) == ([f"{out} {delivered}", void, delivered, "D"], 0)
    assert poll("16:10", OUT, DELIVERED, VOID, AGAIN)[0][4:] == []
    (update,) = [update for update in account.updates["000030711"] if update.is_delivered]
    assert update.delivered_date == "2026-09-17 15:00"
