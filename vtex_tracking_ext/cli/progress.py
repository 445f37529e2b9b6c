"""How far a run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .output import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Lines that a run prints at most where there is no terminal.
_LINES = 10


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """Give a function to call after each of ``total`` calls. The bar needs the extra ``cli``."""
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm  # noqa: PLC0415 - an extra
        except ImportError:
            pass
        else:
            with tqdm(total=total, unit="call", file=sys.stderr, dynamic_ncols=True) as bar:
                yield lambda: _advance(bar)
            return
    yield _lines(total)


def _advance(bar: object) -> None:
    bar.update()  # type: ignore[attr-defined]


def _lines(total: int) -> Callable[[], None]:
    done = 0
    shown = {-(-total * part // _LINES) for part in range(1, _LINES + 1)}

    def advance() -> None:
        nonlocal done
        done += 1
        if done in shown:
            warn(f"{done} of {total} calls")

    return advance
