"""The progress of a run: a bar on a terminal, else a line for each tenth; JSON lines for programs."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.text import REASON_LENGTH, visible

from .output import inform, is_quiet, say_json

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause
    from vtex_tracking_ext.bulk.journal.entries import Outcome

#: How many progress lines a run prints.
_LINES: Final = 10


class ProgressLines:
    """Prints a line for each tenth of the entries. Called by one thread at a time."""

    def __init__(self, total: int, *, as_json: bool) -> None:
        self._total = total
        self._as_json = as_json
        self._marks = sorted({-(-total * part // _LINES) for part in range(1, _LINES + 1)} - {0}, reverse=True)

    def update(self, outcomes: Counter[Outcome]) -> None:
        """Show the outcomes so far."""
        done = _done(outcomes)
        if not self._marks or done < self._marks[-1]:
            return
        while self._marks and done >= self._marks[-1]:
            self._marks.pop()
        if self._as_json:
            say_json("progress", {"done": done, "total": self._total, **_counts(outcomes)})
        else:
            inform(f"{done} of {self._total} events and deliveries: {_text(outcomes)}")

    def pause(self, pause: AccountPause) -> None:
        """Show that an account is paused."""
        if self._as_json:
            say_json("waiting", {"account": pause.account, "seconds": pause.seconds, "reason": pause.reason})
        else:
            inform(pause_line(pause))


class ProgressBar:
    """Shows rate, counts and remaining time on a terminal. Called by one thread at a time."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def update(self, outcomes: Counter[Outcome]) -> None:
        """Show the outcomes so far."""
        self._bar.set_postfix_str(_text(outcomes), refresh=False)
        self._bar.update(_done(outcomes) - self._bar.n)

    def pause(self, pause: AccountPause) -> None:
        """Show that an account is paused, on a line above the bar."""
        with self._bar.external_write_mode(file=sys.stderr):
            inform(pause_line(pause))


@contextmanager
def show_progress(total: int, *, as_json: bool) -> Iterator[ProgressLines | ProgressBar]:
    """Show the progress of a run over ``total`` entries. The bar needs the extra ``cli``."""
    if sys.stderr.isatty() and not (as_json or is_quiet()):
        try:
            from tqdm import tqdm  # noqa: PLC0415 - an extra
        except ImportError:
            pass
        else:
            with tqdm(total=total, unit="event", file=sys.stderr, dynamic_ncols=True) as bar:
                yield ProgressBar(bar)
            return
    yield ProgressLines(total, as_json=as_json)


def pause_line(pause: AccountPause) -> str:
    """Return a line about an account that is paused."""
    return f"{pause.account}: paused for {pause.seconds:.0f} s: {visible(pause.reason, REASON_LENGTH)}"


def _done(outcomes: Counter[Outcome]) -> int:
    return outcomes["applied"] + outcomes["refused"]


def _counts(outcomes: Counter[Outcome]) -> dict[str, int]:
    return {"applied": outcomes["applied"], "refused": outcomes["refused"], "unknown": outcomes["unknown"]}


def _text(outcomes: Counter[Outcome]) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in _counts(outcomes).items())
