"""scripts/demo stops its sandbox when a signal ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from support.scratch import ROOT

#: Runs the demo in this environment, which has everything that it needs.
DEMO = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
import lib.environment
lib.environment.enter = lambda name: None
runpy.run_path(sys.argv[1] + "/demo", run_name="__main__")
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_demo_and_its_sandbox(number: int, status: int) -> None:
    """SIGTERM or SIGINT during a push leaves no process that writes to the demo's output."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", DEMO, str(ROOT / "scripts")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any(line.startswith("$ vtex-tracking push") for line in process.stdout)
            process.send_signal(number)
            # The sandbox inherits the demo's stderr, so the output ends only when both have ended.
            rest, _ = process.communicate(timeout=30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == status
    assert "Traceback" not in rest
