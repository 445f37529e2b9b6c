"""The examples for Celery, Django, Airflow and AWS Lambda run, as far as that is possible without a server of theirs.

Celery runs in its eager mode, and Django without a web server. Airflow is not installed: its two decorators are
replaced. Lambda's functions are called as Lambda calls them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import Mock

import django
import pytest
from django.conf import settings
from django.core.management.base import CommandError
from django.test import RequestFactory

from vtex_tracking_ext import bulk
from vtex_tracking_ext.bulk.journal.interface import JournalUnavailableError
from vtex_tracking_ext.sandbox import Oms, running

from support.pages import texts
from support.reading import INVOICE, ORDER, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

CELERY, DJANGO = "docs/how-to/celery.md", "docs/how-to/django.md"
AIRFLOW, LAMBDA = "docs/how-to/airflow.md", "docs/how-to/lambda.md"
SECRET: Final = "an-example-of-a-secret"
ROW: Final = {"order_id": ORDER, "invoice_number": INVOICE, "date": "2026-10-05", "description": "Coletado"}


@pytest.fixture
def oms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Oms]:
    """The order system of a sandbox to which the environment points, with a journal in the current folder."""
    oms = Oms()
    with running(oms) as url:
        Reader(tmp_path, oms, url, monkeypatch).create_journal()
        yield oms


def example(page: str, number: int = 0) -> dict[str, Any]:
    """Run a program of a page, and return its names."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(texts(page, "python")[number], names)  # noqa: S102 - our own page
    return names


@pytest.fixture
def celery(oms: Oms, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of Celery's program, with tasks that run where they are called."""
    assert oms.orders  # the environment points to its sandbox
    monkeypatch.setenv("CELERY_BROKER", "memory://")
    names = example(CELERY)
    names["app"].conf.update(task_always_eager=True, task_eager_propagates=True)
    return names


def test_celery(celery: dict[str, Any], oms: Oms) -> None:
    """An event that two tasks note is delivered once; one that is invalid fails its task."""
    names = celery
    for _ in range(2):
        names["note_event"].delay(ROW)
    counts = [names["deliver_events"].delay().get() for _ in range(2)]
    assert counts == [{"applied": applied, "refused": 0, "unknown": 0, "pending": 0} for applied in (1, 0)]
    assert len(oms.applied(ORDER, INVOICE)) == 1
    with pytest.raises(ValueError, match="description"):
        names["note_event"].delay({**ROW, "description": ""})
    assert names["app"].conf.beat_schedule["deliver"]["task"] in names["app"].tasks


def test_celery_tries_again_if_the_journal_is_away(celery: dict[str, Any]) -> None:
    """The task that notes an event is retried, and then succeeds."""
    celery["app"].conf.task_eager_propagates = False  # Celery would raise what asks for the retry
    note_row = Mock(side_effect=[JournalUnavailableError("the database is away"), bulk.Result()])
    celery["note"] = note_row
    assert celery["note_event"].delay(ROW).successful()
    assert note_row.call_count == 2


def test_django(oms: Oms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A post needs the secret, is noted, and is delivered by the command; the answers say what was wrong."""
    if not settings.configured:
        settings.configure(CARRIER_SECRET=SECRET, VTEX_JOURNAL="journal.db", VTEX_ACCOUNT="mystore")
        django.setup()
    names, command = example(DJANGO), example(DJANGO, 1)["Command"]()

    def post(body: object, secret: str = SECRET) -> Any:
        request = RequestFactory().post(
            "/", json.dumps(body), content_type="application/json", headers={"X-Webhook-Secret": secret}
        )
        return names["carrier_webhook"](request)

    assert [post(ROW).status_code for _ in range(2)] == [200, 200]
    assert post(ROW, "wrong").status_code == 401
    assert post({**ROW, "description": ""}).status_code == 400
    empty = RequestFactory().post("/", headers={"X-Webhook-Secret": SECRET})
    assert names["carrier_webhook"](empty).status_code == 400
    assert names["carrier_webhook"](RequestFactory().get("/")).status_code == 405
    command.handle()
    assert "1 applied, 0 refused, 0 unknown" in capsys.readouterr().out
    assert len(oms.applied(ORDER, INVOICE)) == 1
    monkeypatch.setitem(names, "note", Mock(side_effect=JournalUnavailableError("the database is away")))
    assert post(ROW).status_code == 503
    monkeypatch.setenv("VTEX_APP_TOKEN", "WRONGTOKENWRONGTOKENWRONGTOKENWRONG")
    bulk.note([{**ROW, "description": "Em tr\xe2nsito"}], "journal.db", account="mystore")
    with pytest.raises(CommandError, match="mystore"):
        command.handle()


def test_airflow(oms: Oms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task pushes the files of the folder once, and fails if the account is stopped."""
    tasks: list[Any] = []
    results: list[Any] = []

    def dag(**_: Any) -> Any:
        return lambda function: function

    def task(**_: Any) -> Any:
        def decorate(function: Any) -> Any:
            tasks.append(function)
            return lambda: results.append(function())

        return decorate

    sdk = ModuleType("airflow.sdk")
    vars(sdk).update(dag=dag, task=task)
    monkeypatch.setitem(sys.modules, "airflow", ModuleType("airflow"))
    monkeypatch.setitem(sys.modules, "airflow.sdk", sdk)
    (program,) = texts(AIRFLOW, "python")
    inbox = tmp_path / "files"
    inbox.mkdir()
    Path("events.csv").rename(inbox / "events.csv")
    program = program.replace("/var/lib/vtex-tracking/journal.db", "journal.db")
    program = program.replace("/var/lib/vtex-tracking/inbox", str(inbox))
    exec(program, {"__name__": "example"})  # noqa: S102 - our own page
    assert results == [{"applied": 2, "refused": 0, "unknown": 0, "invalid": 0}]
    assert [path.name for path in inbox.iterdir()] == ["events.done"]
    assert len(oms.applied(ORDER, INVOICE)) == 2
    (inbox / "events.done").rename(inbox / "events.csv")
    assert tasks[0]()["applied"] == 0
    monkeypatch.setenv("VTEX_APP_TOKEN", "WRONGTOKENWRONGTOKENWRONGTOKENWRONG")
    (inbox / "more.csv").write_text("order_id,invoice_number,date,description\n7-01,000030711,2026-10-05,x\n")
    with pytest.raises(RuntimeError, match="mystore"):
        tasks[0]()


def test_lambda(oms: Oms, capsys: pytest.CaptureFixture[str]) -> None:
    """Only messages that cannot be noted go back to the queue, and a message that comes twice is delivered once."""
    names = example(LAMBDA)
    bodies = [json.dumps(ROW), json.dumps(ROW), "no JSON", json.dumps({**ROW, "description": ""})]
    batch = {"Records": [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}
    failures = names["note_events"](batch, None)
    assert failures == {"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "3"}]}
    assert "description" in capsys.readouterr().out
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000)
    counts = names["deliver_events"]({}, context)
    assert counts == {"applied": 1, "refused": 0, "unknown": 0, "pending": 0}
    assert len(oms.applied(ORDER, INVOICE)) == 1
