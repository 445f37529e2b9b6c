"""Events of unknown orders: parked by a push, tried again, listed and dropped."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.carriers import read
from vtex_tracking_ext.cli import parked
from vtex_tracking_ext.orders import OrderPackage, OrderStore, carrier_rows

from support.carriers import SAMPLES, sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vtex_tracking_ext.sandbox import Oms

    from support.commands import Ran

pytestmark = pytest.mark.usefixtures("account")

ORDER, INVOICE, CODE = "1172452900788-01", "000030711", "QB000000018BR"
PAYLOAD = SAMPLES / "correios.json"

#: Before any time at which the tests run.
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def write_orders(folder: Path, *codes: str) -> Path:
    """Write a file of orders with tracking numbers of one invoice."""
    path = folder / "orders.csv"
    rows = "".join(f"{ORDER},{INVOICE},{code}\n" for code in codes)
    path.write_text(f"order_id,invoice_number,tracking_number\n{rows}", encoding="utf-8")
    return path


def documents(ran: Ran) -> list[dict[str, Any]]:
    """Return the JSON lines of a command."""
    return [json.loads(line) for line in ran.out.splitlines()]


def park_in_the_past(usual: Path, url: str, keep: str) -> None:
    """Park the events of the sample long ago, for so long."""
    with open_journal(usual) as journal:
        store = OrderStore(journal, f"sandbox@{url.removeprefix('http://')}")
        reading = read("correios", PAYLOAD.read_bytes())
        assert [*carrier_rows(reading, orders=store, options={"park": keep}, name="old.json", now=LONG_AGO)]


def test_events_wait_for_their_order(run: Callable[..., Ran], tmp_path: Path, usual: Path, oms: Oms) -> None:
    """A push parks them with status 5; later ones leave them with status 0, until the order is imported."""
    assert run("check", PAYLOAD).status == 5
    assert run("push", PAYLOAD, "--dry-run").status == 5
    assert not usual.exists()
    for _ in range(2):
        ran = run("push", PAYLOAD)
        assert (ran.status, "5 events: no order is known with tracking number" in ran.err) == (5, True)
    stored = b"".join(each.read_bytes() for each in usual.parent.iterdir())
    assert b"Objeto entregue" in stored
    for secret in (b"MARIA", b"000.000.001-91"):
        assert secret not in stored
    ran = run("push")
    assert (ran.status, ": 5 events wait for their orders (parked since 20" in ran.out) == (0, True)
    for command in (("status",), ("orders", "status")):
        ran = run(*command)
        assert (ran.status, ": 5 events wait for their orders" in ran.out) == (0, True)
    (account,) = documents(run("orders", "status", "--json"))
    assert (account["orders"], account["parked"]["waiting"]) == (0, 5)
    (parked,) = json.loads(run("status", "--json").out)["parked"].values()
    assert (parked["waiting"], parked["given_up"]) == (5, 0)
    ran = run("orders", "import", write_orders(tmp_path, CODE))
    assert (ran.status, "5 parked events found their orders." in ran.out) == (0, True)
    ran = run("push")
    assert (ran.status, "6 applied" in ran.out, "parked" in ran.out) == (0, True, False)
    (account,) = documents(run("orders", "status", "--json"))
    assert (account["orders"], account["parked"]) == (1, None)
    assert len([request for request in oms.received if request.method == "PUT"]) == 1


def test_push_of_another_file_sends_parked_events(run: Callable[..., Ran], tmp_path: Path) -> None:
    """The orders of a file that it names, or of a dry run, count; a file of rows tries them again, too."""
    assert run("push", PAYLOAD, "--json").status == 5
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**sample("correios.json"), "objetos": []}), encoding="utf-8")
    orders = write_orders(tmp_path, CODE)
    ran = run("push", other, "--orders", orders, "--dry-run")
    assert (ran.status, "5 parked events found their orders." in ran.out) == (0, True)
    (*_, parked, noted) = documents(run("push", other, "--orders", orders, "--no-deliver", "--json"))
    assert parked == {"type": "parked", "unparked": 5, "waiting": 0, "given_up": 0}
    assert (noted["type"], noted["rows"], noted["new"]) == ("noted", 5, 5)
    assert "6 applied" in run("push").out


def test_push_of_rows_tries_parked_events_again(
    run: Callable[..., Ran], tmp_path: Path, usual: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their account is delivered, too, but not one whose credentials are missing."""
    run("push", PAYLOAD)
    rows = tmp_path / "rows.csv"
    rows.write_text("order_id,invoice_number,date,description\n", encoding="utf-8")
    with open_journal(usual) as journal:
        OrderStore(journal, f"sandbox@{url.removeprefix('http://')}").save(
            [OrderPackage(ORDER, INVOICE, tracking_number=CODE)]
        )
    monkeypatch.delenv("VTEX_APP_KEY")
    ran = run("push", rows)
    assert "5 parked events found their orders." in ran.out
    assert run("status").status == 5


def test_events_that_waited_too_long(
    run: Callable[..., Ran], tmp_path: Path, usual: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are reported once, with status 5 until a person drops them; --park off parks nothing."""
    park_in_the_past(usual, url, "1d")
    ran = run("push")
    assert (ran.status, "old.json:1: 5 events: no order is known with tracking " in ran.err) == (5, True)
    assert "5 parked events were given up: `vtex-tracking orders parked` lists them" in ran.out
    ran = run("push")
    assert (ran.status, ran.err) == (5, "")
    assert (run("status").status, run("orders", "status").status) == (5, 0)
    ran = run("push", PAYLOAD, "--park", "off")
    assert (ran.status, "5 events of no known order, kept out" in ran.out) == (5, True)
    ran = run("orders", "parked")
    assert ran.out.startswith("1: sandbox@127.0.0.1:")
    assert f"tracking number '{CODE}', correios PO/01 of 2026-09-14 (old.json:1 objetos[0].eventos[" in ran.out
    assert "; given up: no order is known with" in ran.out
    assert ran.out.endswith("Parked events: 0 waiting for their orders, 5 given up.\n")
    event, *_, summary = documents(run("orders", "parked", "1", "2", "--json"))
    assert (event["number"], event["is_given_up"], event["source"]) == (1, True, "old.json")
    assert summary == {"type": "summary", "waiting": 0, "given_up": 2}
    ran = run("orders", "parked", "9", "--drop")
    assert (ran.status, "No event is parked with the number 9." in ran.err) == (2, True)
    assert "Nothing was changed: add --yes to confirm." in run("orders", "parked", "--drop").err
    assert documents(run("orders", "parked", "1", "--drop", "--json")) == [{"type": "summary", "dropped": 1}]
    assert run("orders", "parked", "--drop", "--yes").out == "4 parked events dropped.\n"
    assert run("push").status == 0
    park_in_the_past(usual, url, "1d")
    with monkeypatch.context() as patch:
        patch.setattr(parked, "confirm", lambda *_, **__: False)
        assert run("orders", "parked", "--drop").status == 130
    run("orders", "parked", "--drop", "--yes")
    park_in_the_past(usual, url, "36500d")
    assert run("orders", "parked", "--drop").out == "0 parked events dropped.\n"
    assert "; waits until 2125-" in run("orders", "parked").out
    assert "found their orders" in run("orders", "import", write_orders(tmp_path, CODE)).out


def test_note_about_a_parked_event(run: Callable[..., Ran], tmp_path: Path) -> None:
    """It is printed when the event finds its order: this one comes after the delivery of its package."""
    run("orders", "import", write_orders(tmp_path, CODE))
    assert run("push", PAYLOAD).status == 0
    payload = sample("correios.json")
    last = {**payload["objetos"][0]["eventos"][-1], "dtHrCriado": "2026-09-18T10:00:00"}
    payload["objetos"] = [{**payload["objetos"][0], "codObjeto": "QB000000035BR", "eventos": [last]}]
    path = tmp_path / "payload.json"
    path.write_text(json.dumps(payload), encoding="utf-8")
    assert run("push", path).status == 5
    ran = run("orders", "import", write_orders(tmp_path, "QB000000035BR"))
    assert (ran.status, f"{path}:1: " in ran.err) == (0, True)


def test_all_parcels_of_an_invoice_join(run: Callable[..., Ran], tmp_path: Path, oms: Oms) -> None:
    """A file of orders has two tracking numbers for one invoice; the package is delivered with its last object."""
    payload = sample("correios.json")
    delivered = payload["objetos"][0]
    other = {**delivered, "codObjeto": "QB000000035BR"}
    waiting = {**other, "eventos": [each for each in other["eventos"] if each["codigo"] != "BDE"]}
    path = tmp_path / "payload.json"
    assert run("orders", "import", write_orders(tmp_path, CODE, "QB000000035BR")).status == 0

    def push(*objects: Any) -> str:
        path.write_text(json.dumps({**payload, "objetos": objects}), encoding="utf-8")
        ran = run("push", path)
        assert ran.status == 0, ran
        return ran.out

    assert "8 rows: 8 new" in push(delivered, waiting)
    assert not any(b'"isDelivered": true' in each.body or b'"isDelivered":true' in each.body for each in oms.received)
    push(other)
    assert any(b'"isDelivered": true' in each.body or b'"isDelivered":true' in each.body for each in oms.received)
