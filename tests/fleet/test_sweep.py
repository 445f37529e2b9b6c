"""What a worker repeats every minute."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.entries import AccountUpdate
from vtex_tracking_ext.bulk.journal.postgres.locks import lock_number
from vtex_tracking_ext.fleet.sweep import Sweep
from vtex_tracking_ext.fleet.tables import REST_SECONDS

from support.fleets import (
    THOUSAND,
    clear_tasks,
    execute,
    fetch_tasks,
    fill,
    fill_many,
    move,
    package,
    stored_tasks,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal


def sweep_once(journal: PostgresJournal, *accounts: str, sweep: Sweep | None = None, **options: Any) -> list[str]:
    """Sweep once as a worker does, and return the accounts of all tasks."""
    one = sweep or Sweep(journal.address, dict.fromkeys(accounts or ["mystore"], DeliveryOptions(**options)))
    with journal.connections.connection() as connection:
        one.sweep(connection)
    return [task.account for task in stored_tasks(journal)]


@pytest.fixture(autouse=True)
def _tasks_are_lost(journal: PostgresJournal) -> None:
    """Do without the trigger, so that only the sweep adds tasks."""
    execute(journal, "ALTER TABLE accounts DISABLE TRIGGER vtex_tracking_on_revision")


def test_accounts_with_pending_entries_get_a_task(journal: PostgresJournal) -> None:
    """Only the worker's own accounts do, and each gets one."""
    fill(journal, 3)
    fill(journal, 1, account="other")
    assert sweep_once(journal, "mystore", "idle") == ["mystore"]
    assert sweep_once(journal, "mystore", "idle") == ["mystore"]


def test_an_account_without_open_entries_gets_no_task(journal: PostgresJournal) -> None:
    """Applied and refused entries are nothing to do."""
    fill(journal, 2)
    move(journal, "applied", package(0))
    move(journal, "refused", package(1))
    assert sweep_once(journal) == []


def test_an_account_that_is_being_delivered_gets_no_task(journal: PostgresJournal) -> None:
    """Its running task adds the next one."""
    fill(journal, 1)
    sweep_once(journal)
    assert fetch_tasks(journal) == ["mystore"]
    sweep_once(journal)
    assert [task.status for task in stored_tasks(journal)] == ["doing"]


def test_a_scheduled_task_is_brought_forward(journal: PostgresJournal) -> None:
    """An account with something to do now does not wait for it."""
    fill(journal, 1)
    execute(journal, "SELECT vtex_tracking_add_task('mystore', 3000)")
    sweep_once(journal)
    (task,) = stored_tasks(journal)
    assert task.delay is None


def test_what_a_dead_process_left_is_read(journal: PostgresJournal) -> None:
    """Entries in flight that nobody sends are something to do at once."""
    fill(journal, 1)
    move(journal, "in_flight", package(0))
    execute(journal, "SELECT vtex_tracking_add_task('mystore', 3000)")
    sweep_once(journal)
    (task,) = stored_tasks(journal)
    assert task.delay is None


def test_an_account_with_doubts_has_a_task(journal: PostgresJournal) -> None:
    """A lost one is replaced; a scheduled one knows when to read the order."""
    fill(journal, 1)
    move(journal, "unknown", package(0))
    assert sweep_once(journal, resend_after=3600.0) == ["mystore"]
    clear_tasks(journal)
    execute(journal, "SELECT vtex_tracking_add_task('mystore', 3000)")
    sweep_once(journal, resend_after=3600.0)
    (task,) = stored_tasks(journal)
    assert task.delay == pytest.approx(3000, abs=10)


def test_doubts_can_wait_for_a_person(journal: PostgresJournal) -> None:
    """Without resend_after, nothing may be left to read: no task is added every minute."""
    fill(journal, 1)
    move(journal, "unknown", package(0))
    fill(journal, 1, "later")
    assert sweep_once(journal) == []


def test_events_behind_a_doubt_are_sent_if_the_worker_may(journal: PostgresJournal) -> None:
    """With --send-on, a pending event is something to do whatever its package waits for."""
    fill(journal, 1)
    move(journal, "unknown", package(0))
    fill(journal, 1, "later")
    assert sweep_once(journal, send_after_unknown=True) == ["mystore"]


def test_held_deliveries_are_nothing_to_do_yet(journal: PostgresJournal) -> None:
    """Their task is scheduled for the end of the hold; if that was lost, the sweep after the hold replaces it."""
    hold = "UPDATE entries SET not_before = clock_timestamp() + %s::interval"
    fill(journal, 1)
    execute(journal, hold, "1 hour")
    assert sweep_once(journal) == []
    execute(journal, hold, "-1 second")
    assert sweep_once(journal) == ["mystore"]


def test_stopped_accounts_are_tried_once_by_a_new_worker(journal: PostgresJournal) -> None:
    """A worker tries an account that was stopped before its start at once; after its own attempt it rests."""
    fill(journal, 1)
    with journal.lease("mystore") as lease:
        assert lease is not None
        lease.update_account(AccountUpdate(stopped_reason="403"))
    sweep = Sweep(journal.address, {"mystore": DeliveryOptions()})
    sweep_once(journal, sweep=sweep)
    (task,) = stored_tasks(journal)
    assert task.delay is None
    clear_tasks(journal)
    with journal.lease("mystore"):
        pass
    sweep_once(journal, sweep=sweep)
    (task,) = stored_tasks(journal)
    assert task.delay == pytest.approx(REST_SECONDS, abs=10)


def test_running_tasks_of_a_dead_worker_are_replaced(
    journal: PostgresJournal, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker is dead if it has sent no heartbeat for long; the tasks of others run on."""
    fill(journal, 1)
    fill(journal, 1, account="other")
    sweep_once(journal, "mystore", "other")
    assert fetch_tasks(journal, 2) == ["mystore", "other"]
    sweep_once(journal, "mystore", "other")
    assert [task.status for task in stored_tasks(journal)] == ["doing", "doing"]
    execute(journal, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'")
    with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"):
        sweep_once(journal, "mystore")
    tasks = {task.account: task.status for task in stored_tasks(journal)}
    assert tasks == {"mystore": "todo", "other": "doing"}
    assert "mystore: its worker died, or lost its database" in caplog.text


def test_served_accounts_are_recorded(journal: PostgresJournal) -> None:
    """They exist in the journal from then on, and their revision stays."""
    fill(journal, 1)
    sweep_once(journal, "mystore", "new")
    found = execute(
        journal,
        """
        SELECT name, revision, extract(epoch FROM served_until - clock_timestamp())::float8 FROM accounts ORDER BY name
        """,
    )
    assert [record[:2] for record in found] == [("mystore", 1), ("new", 0)]
    assert [record[2] for record in found] == [pytest.approx(150, abs=10)] * 2


def test_a_hundred_thousand_packages_of_a_thousand_accounts(journal: PostgresJournal) -> None:
    """The sweep adds a thousand tasks."""
    fill_many(journal, THOUSAND, packages=100)
    assert len(sweep_once(journal, *THOUSAND)) == 1000


@pytest.fixture
def running(journal: PostgresJournal) -> Iterator[Sweep]:
    """Return a sweep that runs every 0.1 seconds."""
    sweep = Sweep(journal.address, {"mystore": DeliveryOptions()}, seconds=0.1)
    sweep.start()
    yield sweep
    sweep.stop()
    sweep.join(30)


def test_accounts_are_served_while_the_sweep_runs(journal: PostgresJournal, running: Sweep) -> None:
    """A push leaves them to the workers until the worker ends."""
    until(lambda: journal.served_accounts() == {"mystore"})
    fill(journal, 1)
    until(lambda: stored_tasks(journal))
    running.stop()
    running.join(30)
    assert journal.served_accounts() == frozenset()
    assert execute(journal, "SELECT served_until FROM accounts") == [(None,)]


@pytest.mark.usefixtures("running")
def test_the_sweep_survives_its_database(journal: PostgresJournal, caplog: pytest.LogCaptureFixture) -> None:
    """After its session was ended, it opens another one and goes on."""
    until(lambda: journal.served_accounts() == {"mystore"})
    with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"):
        execute(
            journal,
            """
            SELECT pg_terminate_backend(pid) FROM pg_locks
            WHERE locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = %s
            """,
            lock_number("serving", journal.address.schema),
        )
        until(lambda: "the sweep failed, will be retried" in caplog.text)
    until(lambda: journal.served_accounts() == {"mystore"})


def test_a_sweep_that_was_stopped_before_its_start_does_nothing(journal: PostgresJournal) -> None:
    """It ends at once."""
    sweep = Sweep(journal.address, {"mystore": DeliveryOptions()})
    sweep.stop()
    sweep.start()
    sweep.join(30)
    assert not any(thread.name == "sweep" for thread in threading.enumerate())
    assert journal.accounts() == {}
