"""The command sandbox."""

from __future__ import annotations

import re
import socket
import sys
from typing import TYPE_CHECKING

from vtex_tracking_ext import sandbox as room
from vtex_tracking_ext.sandbox.faults import FORMS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from support.commands import Ran


def test_the_sandbox_prints_how_to_use_it(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """The output has address, environment and a first command; Ctrl-C exits with 0."""
    seen = []

    def serve(oms: room.Oms, *, port: int, ready: Callable[[str], None]) -> None:
        seen.append((oms.settings, port))
        ready("http://127.0.0.1:8765")
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "serve", serve)
    ran = run("sandbox", "--port", "8765", "--rate-limit", "20", "--retry-after", "7", "--show-after", "6")
    assert ran.status == 0
    assert seen == [(room.OmsSettings(20, 60.0, 7, 6.0), 8765)]
    assert "export VTEX_BASE_URL=http://127.0.0.1:8765" in ran.out
    assert f"vtex-tracking push {room.EXAMPLE_FILE}" in ran.out


def test_faults_can_be_asked_for(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in the order of the options."""
    seen: list[room.Fault] = []

    def serve(oms: room.Oms, **_: object) -> None:
        seen.extend(oms.faults.waiting())

    monkeypatch.setattr(room, "serve", serve)
    assert run("sandbox", "--fail", "500:3", "--fail", "cut@send").status == 0
    assert seen == [room.Fault(500, times=3), room.Fault(after_applying=True, operation="send")]


def test_a_wrong_fault_is_a_usage_error(run: Callable[..., Ran]) -> None:
    """The message names the option and the forms, and nothing is started."""
    ran = run("sandbox", "--fail", "boom")
    assert (ran.status, ran.out) == (2, "")
    assert "argument --fail: 'boom' is not FAULT[:TIMES][@OPERATION]. FAULT is like 500, 500-after" in ran.err


def test_the_help_describes_faults_that_exist(run: Callable[..., Ran]) -> None:
    """Its examples are accepted, and each form is described."""
    text = " ".join(run("sandbox", "--help").out.split())
    examples = re.findall(r"--fail ([0-9a-z][^ ,]*[0-9a-z])", text)
    assert len([room.parse_fault(example) for example in examples]) == 3
    for form in FORMS:
        assert f" {form} (" in text


def test_a_port_in_use_is_reported(run: Callable[..., Ran]) -> None:
    """The message names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("sandbox", "--port", port)
    assert ran.status == 3
    assert f"cannot use port {port}: Address already in use" in ran.err


def test_a_missing_extra_is_named(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.delattr("vtex_tracking_ext.sandbox", raising=False)
    monkeypatch.setitem(sys.modules, "vtex_tracking_ext.sandbox", None)
    ran = run("sandbox")
    assert ran.status == 3
    assert "pip install 'vtex-tracking[sandbox]'" in ran.err
