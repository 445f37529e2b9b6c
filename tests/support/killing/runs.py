"""Run a command in its own process, and interrupt or kill it at a given request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from attrs import frozen

from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

from support.killing.vtex import Strike

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.killing.vtex import Vtex

#: Time limits in seconds of a run, and of its reaction to a signal; both are far longer than needed.
RUN_TIMEOUT = 600.0
SIGNAL_TIMEOUT = 20.0

#: Start of the line that a command prints when it is interrupted.
_INTERRUPTED = "Interrupted: "

#: The command line.
CLI = (sys.executable, "-m", "vtex_tracking_ext")


@frozen
class Ended:
    """The result of a run.

    Attributes:
        status: The exit status, or the negative number of the signal that ended it.
        out: Standard output and standard error.
    """

    status: int
    out: str


class Child:
    """A running command.

    Args:
        command: The command.
        url: Base URL of the server in VTEX's place.
    """

    def __init__(self, command: tuple[str, ...], url: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VTEX_")}
        environment |= {
            "VTEX_ACCOUNT": "sandbox",
            "VTEX_BASE_URL": url,
            "VTEX_APP_KEY": APP_KEY,
            "VTEX_APP_TOKEN": APP_TOKEN,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self._interrupt_printed = threading.Event()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process, and wait until it has ended."""
        self.send_signal(signal.SIGKILL)
        self._process.wait(SIGNAL_TIMEOUT)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Send SIGINT, and wait until the command reports the interrupt."""
        self._process.send_signal(signal.SIGINT)
        assert self._interrupt_printed.wait(SIGNAL_TIMEOUT)

    def interrupt_twice(self) -> None:
        """Send SIGINT twice, and wait until the process has ended."""
        self.interrupt()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(SIGNAL_TIMEOUT)

    def end(self) -> Ended:
        """Wait until the process ends, and return the result."""
        timer = threading.Timer(RUN_TIMEOUT, self._process.kill)
        timer.start()
        lines = []
        try:
            with self._process as process:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line)
                    if line.startswith(_INTERRUPTED):
                        self._interrupt_printed.set()
        finally:
            timer.cancel()
            timer.join()
        return Ended(self._process.returncode, "".join(lines))


def run(
    command: tuple[str, ...],
    vtex: Vtex,
    act: Callable[[Child], object] | None = None,
    *,
    at: int = 0,
    after: bool = False,
) -> Ended:
    """Run a command, act on it at its request number ``at``, and wait until it ends.

    Args:
        command: The command.
        vtex: The server.
        act: Acts on the running command, or None.
        at: See :class:`Strike`.
        after: See :class:`Strike`.
    """
    vtex.strike(None)
    child = Child(command, vtex.server.url)
    if act is not None:
        vtex.strike(Strike(at, after, lambda: act(child)))
    ended = child.end()
    vtex.strike(None)
    vtex.quiet()
    return ended
