"""Signals during a run; test_push.py has tests of a whole push."""

from __future__ import annotations

import os
import signal

import pytest

from vtex_tracking_ext.cli.interrupts import sigterm_as_interrupt, stop_on_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_the_run_and_the_second_exits(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second signal exits with 130; after the block, the previous handlers are restored."""
    stopped: list[str] = []

    def end(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", end)
    before = signal.getsignal(number)
    with stop_on_signal(lambda: stopped.append("stopped")) as handler:
        assert not handler.interrupted
        signal.raise_signal(number)
        assert (handler.interrupted, stopped) == (True, ["stopped"])
        assert "finishing the calls in flight" in capsys.readouterr().err
        with pytest.raises(SystemExit, match="130"):
            signal.raise_signal(number)
        assert stopped == ["stopped"]
    assert signal.getsignal(number) is before


def test_sigterm_raises_keyboard_interrupt_within_the_block() -> None:
    """After the block, the previous handler is restored."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_ignored_signals_stay_ignored() -> None:
    """SIGINT stays ignored in a shell's background job; SIGTERM is handled."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with sigterm_as_interrupt(), stop_on_signal(lambda: None) as handler:
            signal.raise_signal(signal.SIGINT)
            assert not handler.interrupted
            assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGINT, before)
