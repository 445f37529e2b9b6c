"""Ctrl-C at any line of a call, and exceptions that a signal handler raises in any phase of a call."""

from __future__ import annotations

import pytest

from support.interrupts import WAYS, Trial, Way, answering_server

#: Every so many lines of a call are interrupted. ``scripts/interrupt_trial`` interrupts every line in every way.
STRIDES = dict.fromkeys(WAYS, 9) | {Way(asynchronous=False, parser="httptools", warm=False): 1}


@pytest.mark.parametrize(("way", "stride"), STRIDES.items(), ids=map(str, STRIDES))
def test_an_interrupt_at_any_line_loses_no_connection(way: Way, stride: int) -> None:
    """After it, the client's only place is free, no more connections are open than allowed, and receipts are right."""
    with answering_server() as server:
        trial, line = Trial(server, way), 1
        while trial.interrupt(line):
            line += stride
    assert trial.violations == []
    assert trial.lines > 200
