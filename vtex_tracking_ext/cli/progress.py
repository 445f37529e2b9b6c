"""How far a run is: a bar on a terminal, a line now and then elsewhere, JSON for machines."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from vtex_tracking_ext.text import visible

from .output import say_json, warn

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping

    from vtex_tracking_ext.bulk.delivery.deliver import AccountPause
    from vtex_tracking_ext.bulk.journal.entries import Outcome

#: How often a run tells of its progress where there is no terminal.
_STEPS: Final = 10


class Progress(Protocol):
    """Shows how far a run is. Called by one thread at a time."""

    def show(self, outcomes: Counter[Outcome]) -> None:
        """Show what became of the entries so far."""

    def wait(self, waiting: AccountPause) -> None:
        """Show that an account is left alone for a while."""


@contextmanager
def progress(total: int, *, as_json: bool) -> Iterator[Progress]:
    """Give what shows the progress of a run over ``total`` entries. The bar needs the extra ``cli``."""
    if as_json:
        yield _Steps(total, _json, _wait_json)
        return
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm  # noqa: PLC0415 - an extra
        except ImportError:
            pass
        else:
            with tqdm(total=total, unit="event", file=sys.stderr, dynamic_ncols=True) as bar:
                yield _Bar(bar)
            return
    yield _Steps(total, _line, _wait_line)


class _Bar:
    """Rate, counts and time left, on a terminal."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def show(self, outcomes: Counter[Outcome]) -> None:
        self._bar.set_postfix_str(_listed(_plain(outcomes)), refresh=False)
        self._bar.update(_done(outcomes) - self._bar.n)

    def wait(self, waiting: AccountPause) -> None:
        with self._bar.external_write_mode(file=sys.stderr):
            warn(wait_line(waiting))


class _Steps:
    """Tells of every tenth of the way."""

    def __init__(
        self,
        total: int,
        tell: Callable[[int, int, Mapping[str, int]], object],
        wait: Callable[[AccountPause], object],
    ) -> None:
        self._total = total
        self._marks = sorted({-(-total * part // _STEPS) for part in range(1, _STEPS + 1)} - {0}, reverse=True)
        self._tell = tell
        self._wait = wait

    def show(self, outcomes: Counter[Outcome]) -> None:
        done = _done(outcomes)
        if self._marks and done >= self._marks[-1]:
            while self._marks and done >= self._marks[-1]:
                self._marks.pop()
            self._tell(done, self._total, _plain(outcomes))

    def wait(self, waiting: AccountPause) -> None:
        self._wait(waiting)


def _line(done: int, total: int, counts: Mapping[str, int]) -> None:
    warn(f"{done} of {total} events and deliveries: {_listed(counts)}")


def _json(done: int, total: int, counts: Mapping[str, int]) -> None:
    say_json("progress", {"done": done, "total": total, **counts})


def _wait_line(waiting: AccountPause) -> None:
    warn(wait_line(waiting))


def _wait_json(waiting: AccountPause) -> None:
    say_json("waiting", {"account": waiting.account, "seconds": waiting.seconds, "reason": waiting.reason})


def wait_line(waiting: AccountPause) -> str:
    """Return a line about an account that is left alone for a while."""
    return f"{waiting.account}: no calls for {waiting.seconds:.0f} s: {visible(waiting.reason, 400)}"


def _done(outcomes: Counter[Outcome]) -> int:
    return outcomes["applied"] + outcomes["refused"]


def _plain(outcomes: Counter[Outcome]) -> dict[str, int]:
    return {"applied": outcomes["applied"], "refused": outcomes["refused"], "unknown": outcomes["unknown"]}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
