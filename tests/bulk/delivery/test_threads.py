"""Running functions in threads."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from vtex_tracking_ext.bulk.delivery import threads
from vtex_tracking_ext.bulk.delivery.threads import _wait, run_in_threads


def test_the_function_has_run_in_each_thread_when_it_returns() -> None:
    """Two threads meet."""
    together = threading.Barrier(2)
    places: list[int] = []
    run_in_threads(lambda: places.append(together.wait(10)), 2, places.clear)
    assert sorted(places) == [0, 1]


def test_the_first_error_stops_the_other_threads_and_is_raised() -> None:
    """The error is raised after the other thread has ended."""
    stopped = threading.Event()
    ended: list[bool] = []
    is_first = [True, False]

    def work() -> None:
        if is_first.pop():
            raise ZeroDivisionError
        ended.append(stopped.wait(10))

    with pytest.raises(ZeroDivisionError):
        run_in_threads(work, 2, stopped.set)
    assert ended == [True]


def test_waiting_does_not_block_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting has a timeout, because on Windows waiting without one blocks Ctrl-C."""
    has_ended = threading.Event()
    thread = threading.Thread(target=has_ended.wait, args=(10,))
    thread.start()
    times: list[float | None] = []

    def note(event: threading.Event, timeout: float | None = None) -> bool:
        times.append(timeout)
        event.set()
        return True

    monkeypatch.setattr(threading.Event, "wait", note)
    _wait([(thread, has_ended)])
    assert times
    assert None not in times


def test_an_interrupt_waits_for_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interrupt is raised once the thread has ended, which takes a while after it was stopped."""
    monkeypatch.setattr(threads, "_TIMEOUT", 0.01)
    stopped, ended = threading.Event(), threading.Event()

    def work() -> None:
        threading.Event().wait(0.1)  # until the other thread waits for this one
        os.kill(os.getpid(), signal.SIGINT)
        stopped.wait(10)
        threading.Event().wait(0.1)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        run_in_threads(work, 1, stopped.set)
    assert ended.is_set()


def test_a_thread_that_cannot_start_leaves_no_other_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a thread cannot start, or an interrupt comes at that moment, the started threads are stopped and end."""
    stopped = threading.Event()
    ended: list[bool] = []
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def begin(thread: threading.Thread) -> None:
        if started:
            raise KeyboardInterrupt
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", begin)
    with pytest.raises(KeyboardInterrupt):
        run_in_threads(lambda: ended.append(stopped.wait(10)), 3, stopped.set)
    assert ended == [True]


def test_a_signal_that_another_thread_received_is_handled() -> None:
    """Such a signal does not wake the main thread, which must poll: Ctrl-C must not wait for a long call to end."""
    ready, heard, has_ended = threading.Event(), threading.Event(), threading.Event()
    answers: list[bool] = []

    def work() -> None:
        ready.wait(20)
        os.kill(os.getpid(), signal.SIGUSR1)
        answers.append(heard.wait(20))
        has_ended.set()

    before = signal.signal(signal.SIGUSR1, lambda *_: heard.set())
    mask = signal.pthread_sigmask(signal.SIG_SETMASK, set())
    thread = threading.Thread(target=work)
    thread.start()
    try:
        # The thread inherited a mask that lets the signal pass; this one's does not.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        ready.set()
        _wait([(thread, has_ended)])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGUSR1, before)
    assert answers == [True]
