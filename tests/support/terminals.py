"""A shell in a terminal, to press Tab in it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


@contextmanager
def terminal(
    command: list[str], folder: Path, environ: Mapping[str, str], seconds: float = 30
) -> Iterator[Callable[[str, str], str]]:
    """Run a program in a terminal.

    Args:
        command: The program and its arguments.
        folder: Its working folder.
        environ: Its environment.
        seconds: How long to wait for an output.

    Yields:
        A function that types a text, reads until the output contains another text, and returns the output up to there.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=dict(environ), start_new_session=True
    )
    os.close(theirs)
    output = ""

    def converse(typed: str, awaited: str) -> str:
        nonlocal output
        os.write(ours, typed.encode())
        deadline = time.monotonic() + seconds
        while awaited not in output:
            left = deadline - time.monotonic()
            assert left > 0, f"{awaited!r} is not in the output: {output!r}"
            if select.select([ours], [], [], left)[0]:
                output += os.read(ours, 65536).decode(errors="replace")
        seen, _, output = output.partition(awaited)
        return seen + awaited

    try:
        yield converse
    finally:
        process.kill()
        process.wait()
        os.close(ours)
