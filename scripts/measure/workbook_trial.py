"""The trial behind ``scripts/workbook_trial``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from support.odd_workbooks import odd_workbooks

if TYPE_CHECKING:
    import argparse

#: Exit status of ``check`` for a file of which all rows, or not all rows, can be sent.
READ, REFUSED = 0, 2

#: The most that one workbook may cost, in seconds and in megabytes of memory.
SECONDS: Final = 40
MEGABYTES: Final = 500


@frozen
class Check:
    """What ``vtex-tracking check`` did with a workbook.

    Attributes:
        status: Its exit status; negative for a signal.
        output: What it printed.
        seconds: How long it ran.
        megabytes: The most memory that one of its processes used.
    """

    status: int
    output: str
    seconds: float
    megabytes: float

    def violations(self, rows: int | None) -> list[str]:
        """Return a description of each broken promise, for a workbook with so many rows, or an unknown number."""
        expected = {0: {REFUSED}, None: {READ, REFUSED}}.get(rows, {READ})
        found = [] if self.status in expected else [f"exit status {self.status}: {self.output}"]
        if "Traceback" in self.output:
            found.append(f"a traceback: {self.output}")
        if not self.output:
            found.append("no message")
        if self.seconds > SECONDS:
            found.append(f"{self.seconds:.0f} s")
        if self.megabytes > MEGABYTES:
            found.append(f"{self.megabytes:.0f} MB")
        return found


def check(path: Path) -> Check:
    """Run ``vtex-tracking check`` with a workbook."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        command = [sys.executable, "-m", "vtex_tracking_ext", "check", str(path)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return Check(process.returncode, output.read(), time.monotonic() - started, usage.ru_maxrss / 1024)


def run(arguments: argparse.Namespace) -> int:
    """Check every workbook, print the result, and return the exit status."""
    ends: Counter[int] = Counter()
    slowest, largest, broken = 0.0, 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "odd.xlsx")
        for number, workbook in enumerate(odd_workbooks(arguments.workbooks, arguments.seed)):
            path.write_bytes(workbook.content)
            result = check(path)
            ends[result.status] += 1
            slowest, largest = max(slowest, result.seconds), max(largest, result.megabytes)
            for violation in result.violations(workbook.rows):
                broken += 1
                print(f"  VIOLATED by workbook {number}, {workbook.kind}: {violation}", flush=True)
    read, refused = ends[READ], ends[REFUSED]
    print(f"{arguments.workbooks} workbooks, seed {arguments.seed}: {read} were read, {refused} were refused")
    print(f"  at most {slowest:.1f} s and {largest:.0f} MB for one of them")
    print("  every promise was kept" if not broken else f"  {broken} promises were broken")
    return 1 if broken else 0
