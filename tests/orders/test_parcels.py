"""Events of eight carriers are on the packages that the carriers mean, or on none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

from support.parcels import World

if TYPE_CHECKING:
    from pathlib import Path

    from support.parcels import Outcome

#: The least share of the events of known packages that must be on these packages, if orders can be read. The number of
#: an invoice alone decides for none of them, because each account has several issuers with the same series. So SSW,
#: which names no issuer, must name the order; and for OCOREN, which names the invoice alone, issuer and series of the
#: package must be known, which VTEX does not have of two fifths. Correios names the tracking code alone, which VTEX
#: does not have of a fifth.
LEAST = {
    "ocoren": 0.55,
    "correios": 0.7,
    "ssw": 0.25,
    "intelipost": 0.7,
    "jadlog": 0.8,
    "total_express": 0.85,
    "frenet": 0.8,
    "aftership": 0.75,
}


def check(outcome: Outcome, events: int) -> None:
    """Raise unless no event is on a wrong package, and each that is on none is refused or not found."""
    assert outcome.wrong == []
    kinds = (outcome.right, outcome.refused, outcome.parked, outcome.own)
    assert sum(sum(each.values()) for each in kinds) == events


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
    assert {source: share for source, share in shares.items() if share < LEAST[source]} == {}
    assert len(shares) == 8
