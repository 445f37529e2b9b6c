"""Payloads of carriers in check and push, and the command carriers."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.carriers import SOURCES
from vtex_tracking_ext.cli import input_files

from support.carriers import SAMPLES, sample, write_edi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vtex_tracking_ext.sandbox import Oms

    from support.commands import Ran

pytestmark = pytest.mark.usefixtures("account")

ORDER, INVOICE = "1172452900788-01", "000030711"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Return a file of orders with the tracking number of the sample of Correios."""
    path = tmp_path / "orders.csv"
    path.write_text(f"order_id,invoice_number,tracking_number\n{ORDER},{INVOICE},QB000000018BR\n", encoding="utf-8")
    return path


def write(folder: Path, payload: Any, name: str = "payload.json") -> Path:
    """Write a payload."""
    path = folder / name
    path.write_text(json.dumps(payload), encoding="utf-8")
    return path


def test_check_says_what_it_recognised(run: Callable[..., Ran], orders: Path, oms: Oms) -> None:
    """Check names the source, shows the rows as they would be sent, and notes an object that Correios does not know."""
    path = SAMPLES / "correios.json"
    ran = run("check", path, "--orders", orders, "--show", 1)
    assert ran.status == 0
    assert f"{path}:1: recognised as a payload of correios; if that is wrong, name the source with --from" in ran.err
    assert f"{path}:1: QB000000021BR: SRO-020: " in ran.err
    assert (
        f"{path}: a payload of correios.\n  line 1: order {ORDER}, invoice {INVOICE}: 2026-09-14 17:05:48 " in ran.out
    )
    assert "5 rows: 5 new" in ran.out
    assert "To send: 5 events and 1 delivery of 1 package, in 1 call." in ran.out
    assert list(oms.received) == []


def test_push_sends_each_event_once(
    run: Callable[..., Ran], tmp_path: Path, orders: Path, usual: Path, oms: Oms
) -> None:
    """A second push, compressed and with another text, sends nothing; order and journal do not contain the receiver."""
    path = SAMPLES / "correios.json"
    ran = run("push", "--from", "correios", path, "--orders", orders)
    assert ran.status == 0
    assert "6 applied" in ran.out
    payload = sample("correios.json")
    payload["objetos"][0]["eventos"][0]["descricao"] = "Entregue"
    compressed = tmp_path / "payload.json.gz"
    compressed.write_bytes(gzip.compress(json.dumps(payload).encode()))
    again = run("push", compressed, "--orders", orders)
    assert (again.status, "0 calls" in again.out) == (0, True)
    (update,) = [request for request in oms.received if request.method == "PUT"]
    assert b"Objeto entregue ao destinat" in update.body
    stored = b"".join(each.read_bytes() for each in usual.parent.iterdir())
    assert b"Objeto entregue" in stored
    for secret in (b"MARIA", b"000.000.001-91"):
        assert secret not in update.body
        assert secret not in stored


def test_order_that_the_payload_echoes_is_read(
    run: Callable[..., Ran], tmp_path: Path, oms: Oms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Push reads the invoice number of the order that a webhook names, at the account's pace; check only notes that."""
    payload = {**sample("frenet.json"), "OrderId": ORDER, "TrackingNumber": ""}
    path = write(tmp_path, payload)
    ran = run("check", path)
    assert ran.status == 0
    assert f"the invoice number of order {ORDER} is read when the file is pushed" in ran.err
    ran = run("push", path)
    assert ran.status == 0
    assert any(f"/orders/{ORDER}/invoice/{INVOICE}/tracking" in request.path for request in oms.received)
    paces: list[str] = []
    resume = Pace.resume

    def note_and_resume(pace: Pace, learned: str, *arguments: Any, **options: Any) -> None:
        paces.append(learned)
        resume(pace, learned, *arguments, **options)

    monkeypatch.setattr(Pace, "resume", note_and_resume)
    others = [{**payload, "OrderId": order} for order in ("v501388lspt-01", "v501402lspt-01")]
    assert run("push", write(tmp_path, others)).status == 0
    assert len(paces) == 2  # for reading the order, and for sending
    assert paces[0] == paces[1] != ""


def test_what_joins_no_order_is_named_and_kept_out(run: Callable[..., Ran], tmp_path: Path, orders: Path) -> None:
    """Unmatched events give status 5, and the others are sent; a later push with their orders sends the rest."""
    payload = sample("correios.json")
    payload["objetos"].append({**payload["objetos"][0], "codObjeto": "QB000000035BR"})
    path = write(tmp_path, payload)
    ran = run("push", path, "--orders", orders)
    assert ran.status == 5
    assert f"{path}:1: 5 events: no order is known with tracking number 'QB000000035BR'" in ran.err
    assert "5 events of no known order, parked until their orders are known." in ran.out
    assert "5 events wait for their orders (parked since " in ran.out
    assert run("check", path, "--orders", orders).status == 5
    ran = run("check", path, "--orders", orders, "--json")
    problem, _ = (json.loads(line) for line in ran.out.splitlines()[-2:])
    assert (ran.status, problem["type"], problem["events"], problem["is_parked"]) == (5, "problem", 5, False)
    ran = run("push", path, "--orders", orders, "--park", "off")
    assert "5 events of no known order, kept out: push the file again" in ran.out
    other = ("--journal", tmp_path / "other.db")  # which knows no orders
    assert "0 rows: 0 new, 0 already known, 0 invalid. 10 events of no known order" in run("push", path, *other).out
    assert "Nothing was sent: vtex-tracking push " in run("push", path, *other, "--no-deliver").out
    with orders.open("a", encoding="utf-8") as file:
        file.write("1172452900789-01,000030712,QB000000035BR\n")
    assert "no known order" not in run("push", path, "--orders", orders).out


def test_files_of_a_folder(
    run: Callable[..., Ran], tmp_path: Path, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payload with ambiguous events is kept in the folder rejected; others are in done, also if events are parked."""
    monkeypatch.setattr(input_files, "sleep", lambda _: None)
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder, sample("correios.json"), "a.json")
    other = sample("correios.json")
    other["objetos"][0]["codObjeto"] = "QB000000035BR"
    write(folder, other, "b.json")
    with orders.open("a", encoding="utf-8") as file:
        file.write("2-01,30713,\n3-01,30713,\n")
    write_edi(folder, "30713")
    assert run("push", folder, "--orders", orders).status == 5
    assert {path.name for path in (folder / "done").iterdir()} == {"a.json", "b.json"}
    assert (folder / "rejected" / "OCOREN.txt").exists()


def test_bad_input(run: Callable[..., Ran], tmp_path: Path, orders: Path) -> None:
    """A file that cannot be read as a whole, a bad row of the file of orders, and a wrong source have status 2."""
    path = tmp_path / "cut.json"
    path.write_text('{"objetos": [', encoding="utf-8")
    ran = run("push", "--from", "correios", path)
    assert (ran.status, f"{path}:1: correios: line 1, column 14: not valid JSON" in ran.err) == (2, True)
    with orders.open("a", encoding="utf-8") as file:
        file.write("1002-01,,\n")
    ran = run("check", SAMPLES / "correios.json", "--orders", orders)
    assert (ran.status, f"{orders}:3: column invoice_number: empty" in ran.err) == (2, True)
    ran = run("check", "--from", "Melhor-Envio", SAMPLES / "correios.json")
    assert (ran.status, ran.err.endswith("by id. Its shape is that of correios.\n")) == (2, True)
    ran = run("check", "--from", "correio", path)
    assert (ran.status, "argument --from: 'correio' is not a source: use ocoren, correios, " in ran.err) == (2, True)


def test_profile_and_layout(
    run: Callable[..., Ran], tmp_path: Path, orders: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile names source and orders of its files, what codes mean, and the texts for shoppers."""
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(
        f'[sandbox]\nbase_url = "{url}"\n[sandbox.layout]\nfrom = "correios"\norders = "{orders}"\n'
        'zone = "America/Manaus"\n[sandbox.carriers.correios]\ndelivered = ["OEC/01"]\nhold = "off"\n'
        '[sandbox.carriers.correios.texts]\n"BDE/01" = "At your door"\n',
        encoding="utf-8",
    )
    profiles.chmod(0o600)
    monkeypatch.setenv("VTEX_PROFILES", str(profiles))
    ran = run("check", SAMPLES / "correios.json", "--profile", "sandbox", "--show", 9, "--hold", "2h")
    assert ran.status == 0
    assert "recognised as" not in ran.err
    assert "08:02:00 Objeto saiu para entrega ao destinat\u00e1rio (Recife, PE); delivered 2026-09-17 08:02" in ran.out
    assert "10:21:37 At your door (Recife, PE)\n" in ran.out
    assert "Delivered: OEC/01." in run("carriers", "correios", "--profile", "sandbox").out
    profiles.write_text("[sandbox.carriers.correios]\ndelivery = []\n", encoding="utf-8")
    ran = run("check", SAMPLES / "correios.json", "--profile", "sandbox")
    assert ran.status == 3
    assert f"In the profile file {profiles}: carriers.correios: 'delivery' is not a setting; use texts, " in ran.err
    for text in ("carriers.x]\n", 'layout]\nfrom = "x"\n'):
        profiles.write_text(f"[sandbox.{text}", encoding="utf-8")
        ran = run("check", SAMPLES / "correios.json", "--profile", "sandbox")
        assert (ran.status, f"In the profile file {profiles}: 'x' is not a source: use " in ran.err) == (3, True)
    profiles.write_text("[sandbox]\ncarriers = 1\n", encoding="utf-8")
    ran = run("carriers", "--profile", "sandbox")
    assert (ran.status, "carriers is not a table of tables: write [sandbox.carriers.NAME]." in ran.err) == (3, True)


def test_zone(run: Callable[..., Ran], tmp_path: Path, orders: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time in UTC is converted to --zone, or else to the zone of the profile, or else to that of the source."""
    payload = sample("correios.json")
    payload["objetos"][0]["eventos"] = [{"codigo": "PO", "tipo": "01", "dtHrCriado": "2026-09-17T02:00:00Z"}]
    path = write(tmp_path, payload)
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(
        f'[sandbox]\nbase_url = "{url}"\n[sandbox.carriers.correios]\nzone = "America/Manaus"\n', encoding="utf-8"
    )
    profiles.chmod(0o600)
    check = ("check", path, "--orders", orders, "--show", 1)
    assert "2026-09-16 23:00:00" in run(*check).out
    monkeypatch.setenv("VTEX_PROFILES", str(profiles))
    assert "2026-09-16 22:00:00" in run(*check, "--profile", "sandbox").out
    assert "2026-09-17 05:00:00" in run(*check, "--profile", "sandbox", "--zone", "Europe/Bucharest").out


def test_sources_are_listed(run: Callable[..., Ran]) -> None:
    """The list has a line for each source, with its certainty and delivery codes; with --json, a document for each."""
    ran = run("carriers")
    assert ran.status == 0
    names = [line.partition(" ")[0] for line in ran.out.splitlines()[1 : len(SOURCES) + 1]]
    assert names == [*SOURCES]
    assert "none is public; name them in [STORE.carriers.loggi] of the profile file" in ran.out
    documents = [json.loads(line) for line in run("carriers", "--json").out.splitlines()]
    assert [document["name"] for document in documents] == [*SOURCES]
    assert "codes" not in documents[0]


def test_code_table_is_printed(run: Callable[..., Ran]) -> None:
    """The table has every code with its status, its certainty, and where it was seen."""
    ran = run("carriers", "correios")
    assert ran.status == 0
    assert "Correios (correios), version 1 of the table\nPayload: the answer of GET /srorastro/v1/objetos" in ran.out
    assert "\nBDE/23" in ran.out
    (document,) = [json.loads(line) for line in run("carriers", "correios", "--json").out.splitlines()]
    assert {
        "code": "BDE/01",
        "status": "delivered",
        "certainty": "documented",
        "fact": "guide",
        "text": "",
    } in document["codes"]
    assert run("carriers", "x").status == 2
