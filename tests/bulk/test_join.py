"""Waiting for the threads of a run, which must not make it deaf."""

from __future__ import annotations

import os
import signal
import threading

from vtex_tracking_ext.bulk.deliver import join


def test_a_signal_that_the_system_gave_to_another_thread_is_heard() -> None:
    """It does not wake the main thread, which must look for itself: Ctrl-C must not wait for the end of a long call."""
    ready, heard = threading.Event(), threading.Event()
    answers: list[bool] = []

    def work() -> None:
        ready.wait(20)
        os.kill(os.getpid(), signal.SIGUSR1)
        answers.append(heard.wait(20))

    before = signal.signal(signal.SIGUSR1, lambda *_: heard.set())
    mask = signal.pthread_sigmask(signal.SIG_SETMASK, set())
    thread = threading.Thread(target=work)
    thread.start()
    try:
        # The thread inherited a mask that lets the signal pass; this one's does not.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        ready.set()
        join([thread])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGUSR1, before)
    assert answers == [True]
