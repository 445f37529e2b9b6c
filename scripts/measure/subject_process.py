"""The processes that are measured: how they are started, asked and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

from lib.environment import SCRIPTS

from .cpu_affinity import on_core

if TYPE_CHECKING:
    from pathlib import Path

    from .names import Kind


class CannotAnswerError(Exception):
    """A subject cannot be measured; the message says why."""


def environment(peers: Path | None) -> dict[str, str]:
    """Return a child's environment: nothing of ours or of proxies, and where the generated peers are."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("VTEX_", "PYTHON")) and not name.lower().endswith("_proxy")
    }
    return kept if peers is None else {**kept, "PYTHONPATH": str(peers)}


class Subject:
    """A subject's process; see :mod:`.subject`.

    Raises:
        CannotAnswerError: It does not start.
    """

    def __init__(self, kind: Kind, name: str, url: str, core: int | None, peers: Path | None) -> None:
        self.kind, self.name = kind, name
        with on_core(core):
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

    def ask(self, task: dict[str, Any]) -> dict[str, Any]:
        """Have a task carried out, and return what it cost.

        Raises:
            CannotAnswerError: The process has ended.
        """
        assert self._process.stdin is not None  # noqa: S101 - for the types
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - for the types
        line = self._process.stdout.readline()
        if not line:
            _, said = self._process.communicate()
            raise CannotAnswerError((said.strip().splitlines() or ["it ended without a word"])[-1])
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
