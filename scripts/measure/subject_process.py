"""Start, use and end the process of a measured client (a subject)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

from lib.environment import SCRIPTS

from .cpu_affinity import pinned_to

if TYPE_CHECKING:
    from pathlib import Path

    from .names import Kind


class SubjectError(Exception):
    """A subject cannot be measured; the message is the reason."""


def environment(peers: Path | None) -> dict[str, str]:
    """Return a child's environment variables: without VTEX_*, PYTHON* and proxies, with the path of the peers."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("VTEX_", "PYTHON")) and not name.lower().endswith("_proxy")
    }
    return kept if peers is None else {**kept, "PYTHONPATH": str(peers)}


class SubjectProcess:
    """The process of a subject; it runs :mod:`.subject`.

    Raises:
        SubjectError: It did not start.
    """

    def __init__(self, kind: Kind, name: str, url: str, core: int | None, peers: Path | None) -> None:
        self.kind, self.name = kind, name
        with pinned_to(core):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "measure.subject", kind, name, url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=SCRIPTS,
                env=environment(peers),
            )
        self._read()

    def run(self, task: dict[str, Any]) -> dict[str, Any]:
        """Run a task and return its costs.

        Raises:
            SubjectError: The process has ended.
        """
        assert self._process.stdin is not None  # noqa: S101 - for the types
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - for the types
        line = self._process.stdout.readline()
        if not line:
            _, errors = self._process.communicate()
            raise SubjectError((errors.strip().splitlines() or ["it ended without a message"])[-1])
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
