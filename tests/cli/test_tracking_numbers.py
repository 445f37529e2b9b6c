"""The command set-tracking-number."""

from __future__ import annotations

import json
from functools import partial, partialmethod
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalReader
from vtex_tracking_ext.cli import tracking_numbers
from vtex_tracking_ext.client import TrackingClient
from vtex_tracking_ext.errors import AuthenticationError, OutcomeUnknownError, RateLimitedError
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

from support.deliveries import VirtualTime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vtex_tracking_ext.sandbox import Oms

    from support.commands import Ran

ORDER, INVOICE = "1172452900788-01", "000030711"
COMMAND = "set-tracking-number"
URL = "https://carrier.example/QB1"


@pytest.fixture
def numbered(oms: Oms) -> Oms:
    """Return the OMS with orders of one package: o-01 without a tracking number, o-02 with one, o-03 closed."""
    oms.add_order("o-01", ["0001"], tracking_number=None)
    oms.add_order("o-02", ["0002"], tracking_number="QB2", courier="Correios")
    oms.add_order("o-03", ["0003"], status="canceled")
    return oms


def shown(oms: Oms, order_id: str) -> tuple[str | None, ...]:
    """Return number, URL and courier of the only package of an order."""
    (package,) = oms.get_order(order_id)["packageAttachment"]["packages"]
    return package["trackingNumber"], package["trackingUrl"], package["courier"]


def changes(oms: Oms) -> list[dict[str, Any]]:
    """Return the bodies of the calls that set a tracking number."""
    return [json.loads(request.body) for request in oms.received if request.method == "PATCH"]


def write(path: Path, *lines: str) -> Path:
    """Write a file of tracking numbers."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.usefixtures("account", "numbered")
def test_the_journal_keeps_the_numbers(run: Callable[..., Ran], usual: Path, tmp_path: Path) -> None:
    """The order is found by the number that was set. A journal is created if it is named."""
    assert run(COMMAND, "o-01", "0001", "QB1").status == 0
    assert not usual.exists()
    journal = tmp_path / "journal.db"
    assert run("push", "--no-deliver", write(tmp_path / "none.jsonl", "{}"), "--journal", journal).status == 2
    for order, number in (("o-01", "QB1"), ("o-02", "QB9")):
        assert run(COMMAND, order, f"000{order[-1]}", number, "--journal", journal, "--dry-run").status == 0
        assert run("orders", "find", number, "--journal", journal).status == 5
        assert run(COMMAND, order, f"000{order[-1]}", number, "--journal", journal).status == 0
        ran = run("orders", "find", number, "--journal", journal)
        assert (ran.status, order in ran.out) == (0, True)
    assert run(COMMAND, "o-01", "0001", "QB1", "--journal", tmp_path / "other.db").status == 0
    assert run("orders", "find", "QB1", "--journal", tmp_path / "other.db").status == 0


@pytest.mark.usefixtures("account", "numbered")
def test_a_journal_of_an_earlier_version_is_upgraded(
    run: Callable[..., Ran], usual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a journal cannot be opened for reading alone."""

    def refuse(_: object) -> JournalReader:
        raise JournalError("The journal has version 4.")

    assert run("push", "--no-deliver", write(tmp_path / "none.jsonl", "{}"), "--journal", usual).status == 2
    with monkeypatch.context() as patch:
        patch.setattr(tracking_numbers, "open_journal_reader", refuse)
        assert run(COMMAND, "o-01", "0001", "QB1").status == 0
    assert run("orders", "find", "QB1").status == 0


@pytest.mark.usefixtures("account", "numbered")
def test_parked_events_find_the_package_by_its_number(run: Callable[..., Ran], tmp_path: Path) -> None:
    """Events that came before the tracking number was set are tried again, and the next push sends them."""
    event = '{"codigo": "PO", "tipo": "01", "dtHrCriado": "2026-10-01T17:22:00", "descricao": "Objeto postado"}'
    payload = write(tmp_path / "c.json", f'{{"objetos": [{{"codObjeto": "QB1", "eventos": [{event}]}}]}}')
    journal = ("--journal", tmp_path / "journal.db")
    assert run("push", "--from", "correios", payload, *journal).status == 5
    ran = run(COMMAND, "o-01", "0001", "QB1", *journal)
    assert (ran.status, "1 parked event found its order." in ran.out) == (0, True)
    assert "1 applied" in run("push", *journal).out


@pytest.mark.usefixtures("account")
def test_the_first_number_of_a_package(run: Callable[..., Ran], numbered: Oms) -> None:
    """All values are sent, events can follow, and the same command again sends nothing unless it gives a date."""
    arguments = (COMMAND, "o-01", "0001", "QB1", "--url", URL, "--courier", "Correios")
    ran = run(*arguments, "--dispatched", "2026-10-05 10:30")
    assert (ran.status, ran.err) == (0, "")
    values = f"sandbox, order o-01, invoice 0001, tracking number QB1, courier Correios, URL {URL}"
    assert ran.out.startswith(f"set: {values}, dispatched 2026-10-05T10:30; receipt ")
    expected = {"trackingNumber": "QB1", "trackingUrl": URL, "courier": "Correios"}
    assert changes(numbered) == [{**expected, "dispatchedDate": "2026-10-05T10:30"}]
    assert run("update", "o-01", "0001", "--event", "2026-10-05", "Postado").status == 0
    ran = run(*arguments)
    assert (ran.status, ran.out, ran.err) == (0, f"already set: {values}\n", "")
    assert len(changes(numbered)) == 1
    assert run(*arguments, "--dispatched", "2026-10-06").status == 0
    assert [body["dispatchedDate"] for body in changes(numbered)] == ["2026-10-05T10:30", "2026-10-06"]


@pytest.mark.usefixtures("account")
def test_what_the_package_has_is_kept(run: Callable[..., Ran], numbered: Oms) -> None:
    """A value that is not given stays; that a date of dispatch cannot be kept is said where there may be one."""
    ran = run(COMMAND, "o-02", "0002", "QB2")
    assert ran.out == "already set: sandbox, order o-02, invoice 0002, tracking number QB2, courier Correios\n"
    assert changes(numbered) == []
    ran = run(COMMAND, "o-02", "0002", "QB2", "--url", URL)
    assert ran.status == 0
    assert shown(numbered, "o-02") == ("QB2", URL, "Correios")
    assert ran.err.startswith("Note on 1 package that had a tracking number: if it had a date of dispatch, that is not")
    assert run(COMMAND, "o-02", "0002", "QB9", "--courier", "Jadlog", "--dispatched", "2026-10-05").err == ""
    assert shown(numbered, "o-02") == ("QB9", URL, "Jadlog")
    assert run(COMMAND, "o-01", "0001", "QB1").err == ""


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("o-01",), 2, "Give ORDER_ID, INVOICE_NUMBER and TRACKING_NUMBER, or --file FILE."),
        (("--file", "x.csv", "--courier", "x"), 2, "With --file, all values come from the file"),
        (("o-01", "0001", " "), 2, "tracking_number: empty; it would erase the tracking number"),
        (("o-01", "0001", "QB1", "--courier", ""), 2, "--courier: it is empty"),
        (("o-01", "0001", "QB1", "--dispatched", "5/10"), 2, "dispatched_date: '5/10' is not a date"),
        (("o-01", "1", "QB1"), 1, "QB1: not found; the order has invoice 0001; did the file lose its zeros?"),
        (("o-09", "1", "QB1"), 1, "tracking number QB1: 404"),
        (("o-03", "0003", "QB1"), 1, "refused: sandbox, order o-03, invoice 0003, tracking number QB1, courier "),
        (("o-01", "0001", "QB1", "--app-key", "x", "--app-token", "y"), 3, ": 401 "),
        (("o-01", "0001", "QB1", "--base-url", "http://127.0.0.1:1", "--timeout", "0.2"), 5, "not set: sandbox, order"),
    ],
)
def test_what_cannot_be_set(
    run: Callable[..., Ran], numbered: Oms, arguments: tuple[str, ...], status: int, message: str
) -> None:
    """The reason is on standard error, and the exit status is that of every command."""
    ran = run(COMMAND, *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert message in ran.err
    assert shown(numbered, "o-01") == (None, None, None)


@pytest.mark.usefixtures("account")
def test_a_file(run: Callable[..., Ran], numbered: Oms, tmp_path: Path) -> None:
    """Each order is read once; refused and invalid rows are printed with their reasons and do not stop the others."""
    numbered.add_order("o-04", ["1", "2"], tracking_number=None)
    path = write(
        tmp_path / "numbers.csv",
        "Pedido;Nota fiscal;Código de rastreio;Transportadora",
        "o-03;0003;QB3;",
        "o-01;0001;;",
        "o-02;0002;QB2;Correios",
        "o-04;1;QB41;NULL",
        "o-04;1;QB41;",
        "o-04;2;QB42;Jadlog",
    )
    ran = run(COMMAND, "--file", path)
    assert ran.status == 2
    assert ran.err == (
        f"{path}:3: column tracking_number: empty; it would erase the tracking number that the shopper sees\n"
    )
    refusal, totals = ran.out.splitlines()
    refused = "refused: sandbox, order o-03, invoice 0003, tracking number QB3, courier Correios"
    assert refusal.startswith(f"{refused} ({path}:2): 409 ")
    assert totals == "Tracking numbers: 2 set, 1 already set, 1 refused, 1 invalid."
    assert [request.method for request in numbered.received] == ["GET", "PATCH", "GET", "GET", "PATCH", "PATCH"]
    write(path, "orderId,invoiceNumber,trackingNumber")
    assert run(COMMAND, "--file", path).out == "Tracking numbers: none.\n"


@pytest.mark.usefixtures("account")
def test_json_and_a_dry_run(run: Callable[..., Ran], numbered: Oms, tmp_path: Path) -> None:
    """A dry run reads the orders, says what would be set with what is kept, and sets nothing."""
    path = write(tmp_path / "numbers.csv", "order_id,invoice_number,awb,url", f"o-02,0002,QB9,{URL}", "o-01,9,QB1,")
    ran = run(COMMAND, "--file", path, "--dry-run", "--json")
    would_set, refused, summary = map(json.loads, ran.out.splitlines())
    assert ran.status == 1
    assert would_set.pop("note").startswith("if it had a date of dispatch")
    assert would_set == {
        "type": "outcome",
        "outcome": "would_set",
        "account": "sandbox",
        "order_id": "o-02",
        "invoice_number": "0002",
        "tracking_number": "QB9",
        "tracking_url": URL,
        "courier": "Correios",
        "dispatched_date": "",
        "source": str(path),
        "line": 2,
        "receipt": None,
        "reason": "",
    }
    assert (refused["outcome"], refused["reason"]) == ("refused", "not found; the order has the invoice 0001.")
    counts = {"set": 0, "would_set": 1, "already_set": 0, "refused": 1, "unknown": 0, "not_set": 0, "invalid": 0}
    assert summary == {"type": "summary", **counts}
    assert changes(numbered) == []
    assert run(COMMAND, "--dry-run", "o-01", "0001", "QB1").out.startswith("would set: sandbox, order o-01, invoice")
    assert len(json.loads(run(COMMAND, "--json", "o-01", "0001", "QB1").out.splitlines()[0])["receipt"]) == 32
    invalid = write(tmp_path / "invalid.csv", "order_id,invoice_number,awb", "o-01,0001,")
    assert json.loads(run(COMMAND, "--json", "--file", invalid).out.splitlines()[0])["type"] == "problem"


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Exception]]:
    """Return errors by method of the client, which its next calls raise before they reach the sandbox."""
    failures: dict[str, list[Exception]] = {"get_packages": [], "set_tracking_number": []}

    def call(method: Callable[..., Any], errors: list[Exception], *arguments: Any, **values: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return method(*arguments, **values)

    for name, errors in failures.items():
        monkeypatch.setattr(TrackingClient, name, partialmethod(partial(call, getattr(TrackingClient, name), errors)))
    return failures


@pytest.mark.usefixtures("account")
def test_an_unknown_outcome_is_repeated(
    run: Callable[..., Ran], numbered: Oms, failures: dict[str, list[Exception]]
) -> None:
    """The call replaces, so it is repeated twice; if its outcome is still unknown, the exit status is 4."""
    failures["set_tracking_number"] += [OutcomeUnknownError("no response")] * 2
    assert run(COMMAND, "o-01", "0001", "QB1").status == 0
    assert shown(numbered, "o-01")[0] == "QB1"
    failures["set_tracking_number"] += [OutcomeUnknownError("no response")] * 3
    ran = run(COMMAND, "o-01", "0001", "QB2")
    assert ran.status == 4
    assert "unknown: sandbox, order o-01, invoice 0001, tracking number QB2: no response\n" in ran.err
    assert ran.err.endswith("To be sure, run the command again, which is safe.\n")


@pytest.mark.usefixtures("account")
def test_the_account_is_called_politely(
    run: Callable[..., Ran],
    numbered: Oms,
    failures: dict[str, list[Exception]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Calls are spread out, a 429 is waited for, and an account that refuses the credentials is not called again."""
    time = VirtualTime()
    monkeypatch.setattr(tracking_numbers, "Pace", partial(Pace, time, changed=time))
    limited = RateLimitedError("429", status_code=429)
    limited.retry_after = 7
    failures["get_packages"].append(limited)
    path = write(tmp_path / "n.csv", "order_id,invoice_number,awb", "o-01,0001,QB1", "o-02,0002,QB7", "o-03,0003,QB4")
    ran = run(COMMAND, "--file", path, "--rate", "5", "--json")
    assert ran.status == 1
    assert json.loads(ran.out.splitlines()[0]) == {
        "type": "waiting",
        "account": "sandbox",
        "seconds": 7.0,
        "reason": "429",
    }
    assert [round(seconds, 1) for seconds in time.waited] == [7.0, *[0.2] * 5]
    failures["set_tracking_number"].append(AuthenticationError("401", status_code=401))
    numbered.received.clear()
    write(path, "order_id,invoice_number,awb", "o-02,0002,QB2", "o-01,0001,QB9", "o-03,0003,QB4", "o-04,1,QB4")
    ran = run(COMMAND, "--file", path)
    assert ran.status == 3
    assert ran.out == (
        f"not set: sandbox, order o-02, invoice 0002, tracking number QB2, courier Correios ({path}:2): 401\n"
        "Tracking numbers: 4 not set.\n"
    )
    assert ran.err == "sandbox: 3 packages not set: 401\n"
    assert len(numbered.received) == 1
    failures["set_tracking_number"].append(AuthenticationError("401", status_code=401))
    ended = json.loads(run(COMMAND, "--file", path, "--json").out.splitlines()[1])
    assert ended == {"type": "ended", "account": "sandbox", "packages": 3, "reason": "401"}
    failures["get_packages"] += [limited] * 6
    ran = run(COMMAND, "o-02", "0002", "QB2")
    assert (ran.status, ran.out) == (5, "")
    assert "sandbox: paused for 7 s: 429\n" in ran.err
    assert "not set: sandbox, order o-02, invoice 0002, tracking number QB2: 429\n" in ran.err


@pytest.mark.usefixtures("account")
def test_rows_of_other_accounts(run: Callable[..., Ran], numbered: Oms, url: str, tmp_path: Path) -> None:
    """They are set with their profiles; those of an account without one are left, and the others are set."""
    profiles = write(
        tmp_path / "profiles.toml",
        "[other]",
        f'base_url = "{url}"',
        f'app_key = "{APP_KEY}"',
        f'app_token = "{APP_TOKEN}"',
    )
    profiles.chmod(0o600)
    path = write(
        tmp_path / "n.csv", "order_id,invoice_number,awb,account", "o-02,0002,Q,unknown", "o-01,0001,QB1,Other"
    )
    ran = run(COMMAND, "--file", path, "--profiles", profiles)
    assert (ran.status, ran.out) == (3, "Tracking numbers: 1 set, 1 not set.\n")
    assert ran.err.startswith("unknown: 1 package not set: 'unknown' has no profile in ")
    assert shown(numbered, "o-01")[0] == "QB1"
    write(path, "order_id,invoice_number,awb", "o-02,0002,Q")
    ran = run(COMMAND, "--file", path, "--app-key", "x")
    assert (ran.status, ran.out) == (3, "")
