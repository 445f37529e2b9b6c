"""The server of the sandbox."""

from __future__ import annotations

import signal

import pytest

from vtex_tracking_ext.sandbox import Oms, OmsSettings
from vtex_tracking_ext.sandbox.server import _Server


@pytest.mark.parametrize("ignored", [False, True])
def test_an_ignored_sigint_stays_ignored(*, ignored: bool) -> None:
    """In the background of a shell, Ctrl-C for the foreground job does not stop the sandbox; SIGTERM does."""
    server = _Server(Oms(OmsSettings()), lambda: None)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    try:
        with server.capture_signals():
            assert (signal.getsignal(signal.SIGINT) is signal.SIG_IGN) == ignored
            assert signal.getsignal(signal.SIGTERM) == server.handle_exit
    finally:
        signal.signal(signal.SIGINT, before)
