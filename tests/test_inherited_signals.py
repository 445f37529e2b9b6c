"""An inherited "ignore SIGINT" is respected, as nohup and a shell's ``&`` intend, and does not leak into the tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from vtex_tracking_ext.sandbox import OmsSettings

from support.killing.files import START, make, orders_of
from support.killing.runs import CLI, run
from support.killing.vtex import Faults, Vtex

if TYPE_CHECKING:
    from pathlib import Path

#: Runs a command with SIGINT ignored, as a shell runs a background job.
IN_BACKGROUND = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")


def test_tests_and_their_child_processes_have_the_default_sigint() -> None:
    """The suite restores SIGINT's default handler, even if the suite itself runs in the background of a shell."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True\n"


def test_a_background_push_ignores_sigint(tmp_path: Path) -> None:
    """A push that was started with SIGINT ignored does not stop when Ctrl-C is pressed for the foreground job."""
    content = make(20, 0, refusals=False)
    content.write(tmp_path / "events.csv")
    vtex = Vtex(orders_of(content, OmsSettings(), lambda: START), Faults(0.0, 0, ("cut",)), limit=60)
    push = ("push", str(tmp_path / "events.csv"), "--journal", str(tmp_path / "journal.db"), "--rate", "1000")
    with vtex.server:
        ended = run((*IN_BACKGROUND, *CLI, *push), vtex, lambda child: child.send_signal(signal.SIGINT), at=3)
    assert ended.status == 0, ended.out
    assert "Interrupted" not in ended.out
