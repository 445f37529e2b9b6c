"""A run of the command in a process of its own, with what is done to it while it runs."""

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

#: Seconds that a run may take, and that it may take to hear a signal, before a trial is called off. None comes near.
PATIENCE = 600.0
SOON = 20.0

#: How the command tells that it was interrupted, and goes on until it is safe to end.
_INTERRUPTED = "Interrupted: "

#: The command line.
CLI = (sys.executable, "-m", "vtex_tracking_ext.cli")


@frozen
class Ended:
    """How a run ended.

    Attributes:
        status: Its exit status, or the negative of the signal that ended it.
        out: What it wrote, both outputs in one.
    """

    status: int
    out: str


class Child:
    """A run on its way.

    Args:
        command: What to run.
        url: The address that it calls as VTEX.
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
        self._heard = threading.Event()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process, and wait until it has ended."""
        self.send_signal(signal.SIGKILL)
        self._process.wait(SOON)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Press Ctrl-C, and return when it has told that it heard."""
        self._process.send_signal(signal.SIGINT)
        assert self._heard.wait(SOON)

    def interrupt_twice(self) -> None:
        """Press Ctrl-C twice, and return when it is gone."""
        self.interrupt()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(SOON)

    def end(self) -> Ended:
        """Wait for its end."""
        watch = threading.Timer(PATIENCE, self._process.kill)
        watch.start()
        lines = []
        try:
            with self._process as process:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line)
                    if line.startswith(_INTERRUPTED):
                        self._heard.set()
        finally:
            watch.cancel()
            watch.join()
        return Ended(self._process.returncode, "".join(lines))


def run(
    command: tuple[str, ...],
    vtex: Vtex,
    act: Callable[[Child], object] | None = None,
    *,
    at: int = 0,
    after: bool = False,
) -> Ended:
    """Run a command against a server, do something to it when its request number ``at`` comes, and wait for its end.

    Args:
        command: The command.
        vtex: Answers.
        act: What is done to it, or None.
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
