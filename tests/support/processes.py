"""Python programs in processes of their own, which tests talk to, stop and kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Self


class Program:
    """A running program; leaving the context kills it.

    Args:
        code: The program.
        *arguments: Its arguments.
    """

    def __init__(self, code: str, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.pid = self._process.pid

    def write_line(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def read_line(self) -> str:
        """Return the next line of its standard output, or an empty text after the last one."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it as no program can prevent, and wait until it has ended."""
        self.send_signal(signal.SIGKILL)
        self._process.wait(30)

    def end(self) -> int:
        """Close its standard input, wait until it has ended, and return its exit status."""
        self._process.communicate(timeout=60)
        return self._process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
