"""Ctrl-C during a run; how a whole push takes it is told in test_push.py."""

from __future__ import annotations

import os
import signal

import pytest

from vtex_tracking_ext.cli.interrupts import sigterm_as_interrupt, stop_on_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_stops_in_order_and_the_second_at_once(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is the same; after the block the signals mean what they did before."""
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


def test_being_told_to_end_is_an_interrupt() -> None:
    """Only within the block."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_the_caller_ignores_stays_ignored() -> None:
    """As in a background job of a shell, which Ctrl-C is not meant for."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with sigterm_as_interrupt(), stop_on_signal(lambda: None) as handler:
            signal.raise_signal(signal.SIGINT)
            assert not handler.interrupted
            assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGINT, before)
