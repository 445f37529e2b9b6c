"""Exceptions of an HTTP library, and what they mean for a request."""

from __future__ import annotations

import inspect
from typing import get_args

import httpx
import pytest

from vtex_tracking_ext.call.faults import FAULTS, Fault, Trust, fault_of

#: Raised before the first byte leaves, and only then.
BEFORE = {"ConnectError", "ConnectTimeout", "InvalidURL", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}


def test_every_exception_of_httpx_is_mapped() -> None:
    """A new one fails here, and is decided on."""
    exceptions = {
        name for name, value in vars(httpx).items() if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert FAULTS.keys() == exceptions
    assert {name for name, (_, never_sent) in FAULTS.items() if never_sent} == BEFORE


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("trust", get_args(Trust))
@pytest.mark.parametrize("sent", [True, False])
def test_what_was_seen_counts(name: str, trust: Trust, sent: bool) -> None:
    """Whatever the exception's name says."""
    kind = type(name, (Exception,), {})
    assert fault_of(kind("x"), "x", sent=sent, trust=trust) == Fault(f"{FAULTS[name][0]} ({name}: x)", sent=sent)


@pytest.mark.parametrize(
    ("error", "trust", "sent"),
    [
        (httpx.ConnectError("x"), "progress", False),
        (httpx.ConnectError("x"), "exceptions", False),
        (httpx.ConnectError("x"), "nothing", True),
        (httpx.ReadTimeout("x"), "progress", True),
        (httpx.ReadTimeout("x"), "exceptions", True),
        (RuntimeError("x"), "progress", False),
        (RuntimeError("x"), "exceptions", True),
        (RuntimeError("x"), "nothing", True),
    ],
)
def test_where_nothing_was_seen_the_transport_is_believed_as_far_as_it_can_be(
    error: Exception, trust: Trust, sent: bool
) -> None:
    """What was watched and not seen did not happen, unless httpx's own exception says otherwise."""
    assert fault_of(error, "x", sent=None, trust=trust).sent is sent


def test_a_subclass_means_what_its_base_means() -> None:
    """Transports have exceptions of their own."""

    class OddError(httpx.ConnectError):
        """Another library's."""

    assert fault_of(OddError("x"), "", sent=None, trust="exceptions") == Fault(
        "no connection could be made (OddError)", sent=False
    )


def test_a_timeout_of_our_own_is_one() -> None:
    """asyncio raises Python's."""
    assert fault_of(TimeoutError(), "", sent=True, trust="progress") == Fault(
        "no response in time (TimeoutError)", sent=True
    )
    assert fault_of(TimeoutError(), "", sent=False, trust="progress") == Fault(
        "connecting timed out (TimeoutError)", sent=False
    )


def test_an_exception_that_nobody_knows_has_words_too() -> None:
    """They promise no more than that the request failed."""
    assert fault_of(OSError(), "x", sent=True, trust="progress").reason == "the request failed (OSError: x)"


def test_its_words_are_fit_to_be_seen() -> None:
    """They may be a server's."""
    assert fault_of(OSError(), "\x1b" + "x" * 1000, sent=True, trust="progress").reason.isprintable()
