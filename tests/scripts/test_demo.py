"""The demo, told to end before it is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from support.scratch import ROOT

#: Runs the demo with its own environment taken as made, because this one has all that it needs.
DEMO = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
import lib.environment
lib.environment.enter = lambda name: None
runpy.run_path(sys.argv[1] + "/demo", run_name="__main__")
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_demo_that_is_told_to_end_leaves_nothing_running(number: int, status: int) -> None:
    """Its sandbox ends with it: the pipe that both write to is closed at its other end."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", DEMO, str(ROOT / "scripts")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any(line.startswith("$ vtex-tracking push") for line in process.stdout)
            process.send_signal(number)
            # The sandbox has the demo's stderr: as long as it runs, the output does not end.
            rest, _ = process.communicate(timeout=30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == status
    assert "Traceback" not in rest
