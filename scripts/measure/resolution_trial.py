"""The trial behind ``scripts/resolution_trial``: events of eight carriers, and the packages that are found for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.opening import open_journal

from support.parcels import World

if TYPE_CHECKING:
    from pathlib import Path

    from support.parcels import Outcome


def run(location: Path, orders: int, seed: int) -> int:
    """Check the packages of all events in three ways, and print the results; 1 if one is wrong.

    Args:
        location: Where the journal is created.
        orders: How many orders there are.
        seed: The seed of what is generated.
    """
    world = World(seed, orders)
    told = world.tell()
    print(f"{orders} orders, {len(told)} payloads of one event each")
    with open_journal(location) as journal:
        store = world.save(journal)
        outcomes = {
            "an index in memory": world.check(told, world.index(), None),
            "a journal": world.check(told, store, None),
            "a journal, and orders are read": world.check(told, store, world.read_packages),
        }
    for name, outcome in outcomes.items():
        print(f"\n{name}: {len(outcome.wrong)} events on wrong packages")
        _show(outcome)
    return int(any(outcome.wrong for outcome in outcomes.values()))


def _show(outcome: Outcome) -> None:
    columns = ("right", "refused", "parked", "own")
    counts = {name: getattr(outcome, name) for name in columns}
    print(f"{'':15}{'found':>8}{'right':>8}{'refused':>9}{'unknown':>9}{'as told':>9}")
    for source in sorted(outcome.known):
        right, refused, parked, own = (counts[name][source] for name in columns)
        print(f"{source:15}{outcome.share(source):8.1%}{right:8}{refused:9}{parked:9}{own:9}")
    for wrong in outcome.wrong[:10]:
        print(wrong)
