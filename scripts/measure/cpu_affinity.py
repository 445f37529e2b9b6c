"""Pin the servers and the subjects to a processor each, so that they do not compete for CPU time."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cores(NamedTuple):
    """The processors of the servers and of the subjects; None for both if pinning is impossible."""

    servers: int | None
    subjects: int | None


def choose_cores() -> Cores:
    """Choose two of this machine's processors."""
    if not hasattr(os, "sched_getaffinity"):  # not Linux
        return Cores(None, None)
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[-1]) if len(usable) > 1 else Cores(None, None)


@contextmanager
def pinned_to(core: int | None) -> Iterator[None]:
    """Pin this process to a processor within the block; children that start in it stay pinned."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
