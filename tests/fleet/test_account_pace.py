"""The paces in PostgreSQL: several processes keep to one ceiling together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.delivery.pace import Throttle
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader
from vtex_tracking_ext.fleet.account_pace import Paces
from vtex_tracking_ext.fleet.slots import SharedPace

from support.fleets import PATIENCE, opened, until
from support.postgres import execute

if TYPE_CHECKING:
    from vtex_tracking_ext.fleet.slots import Lease

RATE = 60.0

#: A worker: four threads that call as often as they may; it tells when they did, and which slots it was given.
PROGRAM = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.fleet.pace import FleetPace
from vtex_tracking_ext.fleet.account_pace import Paces

url, rate, calls = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
with PostgresJournal.open(url) as journal, ThreadPoolExecutor(4) as pool:
    paces, slots = Paces(journal.connections), []
    pace = FleetPace("mystore", paces, rate)
    update = paces.update

    def keep(account, act):
        answer = update(account, act)
        slots.extend(getattr(answer, "starts", ()))
        return answer

    paces.update = keep

    def call(_):
        assert pace.wait_for_turn()
        moment = time.time()
        pace.record_result(None)
        return moment

    moments = list(pool.map(call, range(calls)))
    pace.flush()
print(json.dumps([moments, slots]))
"""


def lease(shared: SharedPace, now: float) -> Lease:
    """Take a slot."""
    return shared.lease(now, 1, RATE)


def at_full_rate(shared: SharedPace, _: float) -> None:
    """Have learnt already that the ceiling is allowed."""
    shared.throttle = Throttle(RATE, rate=RATE)


def test_workers_never_exceed_the_ceiling_together(journal: PostgresJournal, journal_url: str) -> None:
    """Two processes of four threads each lease no more slots in any period than the rate allows."""
    Paces(journal.connections).update("mystore", at_full_rate)
    command = [sys.executable, "-c", PROGRAM, journal_url, str(RATE), "60"]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    moments = sorted(moment for moments, _ in told for moment in moments)
    slots = sorted(slot for _, slots in told for slot in slots)
    assert len(moments) == 120 <= len(slots)
    for first, start in enumerate(slots):
        for number, slot in enumerate(slots[first:]):
            # A lease that comes 0.02 s late at most does not delay what comes after it.
            assert slot - start > number / RATE - 0.021
    # Both clocks are this machine's. No call was before its slot: the last was not sooner than all slots allow.
    assert moments[-1] - moments[0] > 119 / RATE - 0.1


def test_the_pace_is_shared_and_stored(journal_url: str) -> None:
    """The pace uses the database's clock; a new account starts like a push."""
    with opened(journal_url) as journal:
        paces = Paces(journal.connections)
        assert paces.all() == {}
        first = paces.update("mystore", lease)
        assert paces.update("mystore", lease).starts > first.starts
        ((now,),) = execute(journal_url, "SELECT extract(epoch FROM clock_timestamp())::float8")
        assert first.now == pytest.approx(now, abs=30)
        (kept,) = paces.all().values()
    with PostgresReader.open(journal_url) as reader:
        found = Paces(reader.connections).all()
        assert found.keys() == {"mystore"}
        assert found["mystore"][0] == kept[0] != SharedPace()


def test_changes_are_serialised(journal: PostgresJournal, journal_url: str) -> None:
    """A second change waits for the first and sees its result."""
    paces = Paces(journal.connections)
    paces.update("mystore", lease)
    inside, goes_on, seen = threading.Event(), threading.Event(), []

    def first(shared: SharedPace, _: float) -> None:
        inside.set()
        assert goes_on.wait(PATIENCE)
        shared.reason = "the first"

    with ThreadPoolExecutor(2) as pool:
        changing = pool.submit(paces.update, "mystore", first)
        assert inside.wait(PATIENCE)
        other = pool.submit(paces.update, "mystore", lambda shared, _: seen.append(shared.reason))
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        until(lambda: execute(journal_url, waiting))
        goes_on.set()
        changing.result(PATIENCE)
        other.result(PATIENCE)
    assert seen == ["the first"]


def test_a_change_that_fails_changes_nothing(journal: PostgresJournal) -> None:
    """A failed change is rolled back, and the next one is possible."""
    paces = Paces(journal.connections)

    def fail(shared: SharedPace, _: float) -> None:
        shared.reason = "resting"
        raise ZeroDivisionError

    paces.update("mystore", lease)
    with pytest.raises(ZeroDivisionError):
        paces.update("mystore", fail)
    assert paces.all()["mystore"][0].reason == ""


def test_without_a_fleet_there_are_no_paces(journal_url: str) -> None:
    """A journal without the fleet's tables has no paces."""
    with PostgresJournal.open(journal_url) as journal:
        assert Paces(journal.connections).all() == {}


def test_a_user_without_permission_sees_no_paces(journal_url: str) -> None:
    """A user who may not read the table gets no paces and can read the journal."""
    role = f"looking_{os.getpid()}"
    with opened(journal_url) as journal:
        Paces(journal.connections).update("mystore", lease)
        schema = journal.address.schema
    rights = f"GRANT USAGE ON SCHEMA {schema} TO {role}", f"GRANT SELECT ON {schema}.meta TO {role}"
    execute(journal_url, f"CREATE ROLE {role}", *rights)
    try:
        with PostgresReader.open(f"{journal_url}&options=-c%20role%3D{role}") as reader:
            assert Paces(reader.connections).all() == {}
    finally:
        execute(journal_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
