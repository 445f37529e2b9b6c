"""How fast one account may be called."""

from __future__ import annotations

import threading

from vtex_tracking_ext.bulk.pace import DEFAULT_FREEZE, LONGEST_FREEZE, Pace


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.now


def test_a_freeze_lasts_as_told_within_bounds() -> None:
    """A minute without a word, and never longer than the bound."""
    clock = Clock()
    for told, seconds in ((5.0, 5.0), (None, DEFAULT_FREEZE), (10**9, LONGEST_FREEZE)):
        pace = Pace(clock)
        assert pace.freeze(told)
        assert pace.frozen_for() == seconds
        clock.now += seconds
        assert pace.frozen_for() == 0
        pace.wait()


def test_waiting_ends_with_the_freeze() -> None:
    """Whoever waits is let go when the time has come."""
    pace = Pace()
    pace.freeze(0.05)
    pace.wait()
    assert pace.frozen_for() == 0


def test_cancelling_ends_the_waiting() -> None:
    """At once, for everybody."""
    pace = Pace()
    pace.freeze(600)
    waiting = threading.Thread(target=pace.wait)
    waiting.start()
    pace.cancel()
    waiting.join(timeout=10)
    assert not waiting.is_alive()


def test_too_many_freezes_in_a_row_say_to_give_up() -> None:
    """Calls that were on their way together count as one; a call let through begins anew."""
    clock = Clock()
    pace = Pace(clock, most_freezes=2)
    assert [pace.freeze(10), pace.freeze(10), pace.freeze(10)] == [True, True, True]
    clock.now += 10
    assert pace.freeze(10)
    pace.went_well()
    clock.now += 10
    assert pace.freeze(10)
    clock.now += 10
    assert pace.freeze(10)
    clock.now += 10
    assert not pace.freeze(10)
