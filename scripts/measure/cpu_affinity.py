"""Which processor does what: the servers one, the subjects another, so that neither takes the other's time."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cores(NamedTuple):
    """The processor of the servers and that of the subjects, or None for both where nothing can be pinned."""

    servers: int | None
    subjects: int | None


def cores() -> Cores:
    """Choose two of this machine's processors."""
    if not hasattr(os, "sched_getaffinity"):  # not Linux
        return Cores(None, None)
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[-1]) if len(usable) > 1 else Cores(None, None)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Start what is started in the block on one processor; it stays there."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
