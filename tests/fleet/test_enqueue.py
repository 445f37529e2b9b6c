"""Which packages need a task, in which order tasks are started, and which are stalled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.fleet import enqueue as module
from vtex_tracking_ext.fleet.enqueue import TaskQueue
from vtex_tracking_ext.fleet.task import lock_name

from support.fleets import add_tasks, fetch_tasks, fill, move, package, stored_tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vtex_tracking_ext.bulk.journal.entries import PackageKey
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal


def packages_without_task(journal: PostgresJournal, labels: Sequence[str] | None = None) -> list[PackageKey]:
    """Return the packages that need a task."""
    return list(TaskQueue(journal.connections).packages_without_task(labels))


def test_packages_with_open_entries_need_a_task(journal: PostgresJournal) -> None:
    """Packages with pending, abandoned and recently unknown entries are found in the order of their arrival."""
    fill(journal, 5)
    move(journal, "in_flight", package(1))
    move(journal, "unknown", package(2), "9 minutes")
    move(journal, "applied", package(3))
    move(journal, "refused", package(4))
    assert packages_without_task(journal) == [package(0), package(1), package(2)]


def test_an_old_unknown_outcome_needs_no_task(journal: PostgresJournal) -> None:
    """A new event of the package makes it need a task again, which reads the order."""
    fill(journal, 3)
    move(journal, "unknown", package(0), "11 minutes")
    move(journal, "unknown", package(1), "11 minutes")
    move(journal, "in_flight", package(2), "11 minutes")
    fill(journal, 1, "behind")
    fill(journal, 1, "behind", first=1)
    with journal.connections.connection() as connection:
        connection.execute("UPDATE entries SET added = added - interval '11 minutes' WHERE package = 1")
    assert packages_without_task(journal) == [package(1), package(2)]


def test_a_package_has_one_waiting_task(journal: PostgresJournal) -> None:
    """A started task does not count, because it may have read the entries already."""
    fill(journal, 3)
    assert add_tasks(journal) == 3
    assert add_tasks(journal) == 0
    assert fetch_tasks(journal) == [package(0)]
    assert packages_without_task(journal) == [package(0)]
    assert add_tasks(journal) == 1
    assert add_tasks(journal) == 0
    assert fetch_tasks(journal, 4) == [package(1), package(2)]  # what was taken up keeps the other one from tasks


def test_tasks_can_be_limited_to_accounts(journal: PostgresJournal) -> None:
    """Packages of other accounts are not found."""
    fill(journal, 2)
    fill(journal, 1, account="other")
    assert packages_without_task(journal, ["other", "nobody"]) == [package(0, "other")]
    assert packages_without_task(journal, []) == []
    assert len(packages_without_task(journal)) == 3


def test_many_are_found_page_by_page(journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each package is found once, whether all or none of a page needs a task."""
    monkeypatch.setattr(module, "_BATCH", 3)
    fill(journal, 10, "one", "two")
    fill(journal, 6, account="other")
    assert packages_without_task(journal) == [package(n) for n in range(10)] + [package(n, "other") for n in range(6)]
    assert packages_without_task(journal, ["other"]) == [package(n, "other") for n in range(6)]
    assert add_tasks(journal) == 16
    assert packages_without_task(journal) == []
    tasks = stored_tasks(journal)
    assert len({task.id for task in tasks}) == 16
    assert [task.lock for task in tasks[:2]] == [lock_name(package(0)), lock_name(package(1))]


def test_tasks_are_looked_up_by_the_index(journal: PostgresJournal) -> None:
    """The query plan uses the index; without it, a sweep of many packages would take hours."""
    fill(journal, 1500)
    assert add_tasks(journal) == 1500
    with journal.connections.connection() as connection:
        values = "(0::bigint, 1000::bigint, NULL::text[])"
        names = {"%(last)s": "$1", "%(page)s": "$2", "%(labels)s": "$3"}
        sql = module._WITHOUT_TASK
        for name, number in names.items():
            sql = sql.replace(name, number)
        connection.execute(f"PREPARE packages_without_task (bigint, bigint, text[]) AS {sql}")
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN EXECUTE packages_without_task {values}"))
    assert "Index Scan using vtex_tracking_doorbells" in plan


def test_a_small_account_does_not_wait_for_a_big_one(journal: PostgresJournal) -> None:
    """The tasks of a small account are among the first, although they were added last."""
    fill(journal, 200)
    add_tasks(journal)
    fill(journal, 3, account="small")
    add_tasks(journal)
    turns = fetch_tasks(journal, 8)
    assert [turns.index(package(number, "small")) for number in range(3)] == [1, 3, 5]
    assert [key for key in turns if key.account == "mystore"] == [package(number) for number in range(5)]


def test_tasks_of_dead_workers_are_stalled(journal: PostgresJournal) -> None:
    """Started tasks whose package is not locked are stalled after a while; recent and locked ones are not."""
    tasks = TaskQueue(journal.connections)
    fill(journal, 3)
    add_tasks(journal)
    assert fetch_tasks(journal, 2) == [package(0), package(1)]
    first, second, _ = stored_tasks(journal)
    assert tasks.stalled(journal) == []
    assert tasks.stalled(journal, 0) == [first.id, second.id]
    with journal.try_lock(package(0)):
        assert elsewhere(journal, tasks) == [second.id]
    assert tasks.stalled(journal, 0) == [first.id, second.id]


def test_a_task_started_in_the_future_is_stalled(journal: PostgresJournal) -> None:
    """A clock that was set back does not hide an abandoned task."""
    tasks = TaskQueue(journal.connections)
    fill(journal, 1)
    add_tasks(journal)
    fetch_tasks(journal)
    with journal.connections.connection() as connection:
        connection.execute("UPDATE procrastinate_events SET at = at + interval '1 day'")
    assert tasks.stalled(journal) == [stored_tasks(journal)[0].id]


def elsewhere(journal: PostgresJournal, tasks: TaskQueue) -> list[int]:
    """Ask with another connection than this thread's, which holds a package."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(tasks.stalled, journal, 0).result(30)


def test_a_failure_to_add_tasks_is_a_journal_error(journal: PostgresJournal) -> None:
    """The error has PostgreSQL's message, not Procrastinate's."""
    fill(journal, 1)
    with journal.connections.connection() as connection:
        connection.execute("ALTER TABLE procrastinate_jobs ADD CHECK (priority > 0)")
    with pytest.raises(JournalError, match="priority"):
        add_tasks(journal)
