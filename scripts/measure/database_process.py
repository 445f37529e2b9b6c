"""A process of ``scripts/database_trial``: a command of vtex-tracking that starts when told, with a wrong clock.

Arguments: seconds that the clock is fast, then those of the command.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from typing import TYPE_CHECKING

import procrastinate  # noqa: F401 - before the clock is changed: psycopg knows times by their class

if TYPE_CHECKING:
    from typing import Self


def set_clock(seconds: float) -> None:
    """Make this process's clock fast by so many seconds, for modules that are imported from now on."""
    right = time.time

    class WrongDatetime(dt.datetime):
        """Times of a wrong clock."""

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Self:
            """Return the current time of the wrong clock."""
            return super().now(tz) + dt.timedelta(seconds=seconds)

    time.time = lambda: right() + seconds
    dt.datetime = WrongDatetime  # type: ignore[misc]


def main() -> int:
    """Run the command after a line was read from standard input."""
    set_clock(float(sys.argv[1]))
    from vtex_tracking_ext.cli import main as run  # noqa: PLC0415 - with the wrong clock
    from vtex_tracking_ext.fleet import worker  # noqa: F401, PLC0415 - before the start

    sys.stdin.readline()
    return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
