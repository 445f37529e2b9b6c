"""The service as real processes that are killed: every event reaches its package once and in order.

What is asserted, and what of the order of events can be, is described in scripts/measure/service_trial.py.
scripts/service_trial runs a longer version.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from measure.service_trial import ServiceTrial

from support.postgres import Databases, Server

if TYPE_CHECKING:
    from pathlib import Path


def test_service_that_sends_itself_is_killed(tmp_path: Path) -> None:
    """A service with a journal in a file that is killed while it sends loses nothing, and sends nothing twice."""
    arguments = Namespace(orders=8, kills=2, seed=1)
    trial = ServiceTrial(arguments, tmp_path, str(tmp_path / "journal.db"), None)
    trial.run("a file")
    assert trial.violations == []


def test_service_worker_and_database_are_killed_in_turn(tmp_path: Path) -> None:
    """A service with a worker and a journal in PostgreSQL, each of which is killed, does not either."""
    with Server() as server:
        trial = ServiceTrial(Namespace(orders=8, kills=3, seed=2), tmp_path, Databases(server.url).new(), server)
        trial.run("PostgreSQL")
    assert trial.violations == []
