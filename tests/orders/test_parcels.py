"""Events of eight carriers are on the packages that the carriers mean, or on none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

from support.parcels import World

if TYPE_CHECKING:
    from pathlib import Path

    from support.parcels import Outcome

#: The least share of the events of known packages that must be on these packages, if orders can be read. SSW names no
#: issuer, OCOREN names no tracking code, and Correios nothing else, although VTEX does not have it of a fifth of them.
LEAST = {"ocoren": 0.7, "correios": 0.7, "ssw": 0.65, "jadlog": 0.8, "frenet": 0.8, "aftership": 0.75}


def check(outcome: Outcome, events: int) -> None:
    """Raise unless no event is on a wrong package, and each that is on none is refused or not found."""
    assert outcome.wrong == []
    kinds = (outcome.right, outcome.refused, outcome.parked, outcome.own, outcome.alone)
    assert sum(sum(each.values()) for each in kinds) == events
    # Neither what the carrier says nor what is known tells these from events of the only known package with the number.
    assert sum(outcome.alone.values()) <= events / 50


@pytest.mark.parametrize("seed", [1, 2])
def test_each_event_is_on_a_package_that_is_meant_or_on_none(seed: int, tmp_path: Path) -> None:
    """With an index in memory, with a journal, and if orders can be read; then most events find their package."""
    world = World(seed, 250)
    told = world.tell()
    check(world.check(told, world.index(), None), len(told))
    with SqliteJournal.open(tmp_path / "journal.db") as journal:
        store = world.save(journal)
        check(world.check(told, store, None), len(told))
        outcome = world.check(told, store, world.read_packages)
    check(outcome, len(told))
    assert not outcome.own
    shares = {source: outcome.share(source) for source in outcome.known}
    assert {source: share for source, share in shares.items() if share < LEAST.get(source, 0.9)} == {}
    assert len(shares) == 8
