"""A worker of ``scripts/service_trial``: one that soon takes over from a dead one. Arguments: those of the command."""

from __future__ import annotations

import sys
from functools import partial

from vtex_tracking_ext.cli import main as run
from vtex_tracking_ext.fleet import worker


def main() -> int:
    """Run the command ``worker`` until it is stopped."""
    intervals = partial(worker.WorkerIntervals, poll_seconds=0.1, sweep_seconds=0.5, dead_seconds=3.0)
    worker.WorkerIntervals = intervals  # type: ignore[misc, assignment]
    return run(["worker", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
