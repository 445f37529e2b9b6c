"""Which volumes (parcels) of a package were delivered. Pure.

VTEX knows one delivery of an invoice, but a carrier can deliver its volumes at different times.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, TypeAlias

from vtex_tracking_ext.text import visible

from .entries import TAKEN_BACK

if TYPE_CHECKING:
    from .entries import PackageKey

#: What an event says: its package, its volume, and what it says of the volume's delivery; see
#: :attr:`.Entry.volume_delivered`.
VolumeEvent: TypeAlias = "tuple[PackageKey, str, str | None]"

#: Volumes that a note names, and characters of each.
_NAMED: Final = 5
_SHOWN: Final = 60


class Volumes:
    """The volumes of some packages, and when each was delivered, by what events said one after the other."""

    def __init__(self) -> None:
        self._dates: defaultdict[PackageKey, dict[str, str | None]] = defaultdict(dict)

    def record(self, package: PackageKey, volume: str, delivered: str | None = None) -> None:
        """Record an event. Of a volume that is delivered twice, the first date counts."""
        dates = self._dates[package]
        if delivered == TAKEN_BACK or volume not in dates:
            dates[volume] = None
        if delivered != TAKEN_BACK and dates[volume] is None:
            dates[volume] = delivered

    def missing(self, package: PackageKey) -> list[str]:
        """Return the volumes of a package that were not delivered, in the order in which they were first seen."""
        return [volume for volume, date in self._dates[package].items() if date is None]

    def last_date(self, package: PackageKey) -> str | None:
        """Return when the last volume of a package was delivered, or None if no date is known."""
        return max(filter(None, self._dates[package].values()), default=None)


def waiting_note(volume: str, missing: list[str]) -> str:
    """Return a note about the delivery of a volume while other volumes are missing."""
    names = [visible(each, _SHOWN) for each in missing]
    if len(names) > _NAMED:
        others = f"{len(names)} other volumes are"
    elif len(names) > 1:
        others = f"volumes {', '.join(names[:-1])} and {names[-1]} are"
    else:
        others = f"volume {names[0]} is"
    return f"volume {visible(volume, _SHOWN)} was delivered; the delivery of the package is sent when {others}, too"
