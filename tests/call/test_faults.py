"""Conversion of an HTTP library's exceptions to faults."""

from __future__ import annotations

import inspect
from typing import get_args

import httpx
import pytest

from vtex_tracking_ext.call.faults import FAULTS, Fault, Trust, fault_of

#: Raised before the first byte leaves, and only then.
BEFORE = {"ConnectError", "ConnectTimeout", "InvalidURL", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}


def test_every_exception_of_httpx_is_mapped() -> None:
    """Every exception of httpx has a reason, so that a new one fails here until it is classified."""
    exceptions = {
        name for name, value in vars(httpx).items() if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert FAULTS.keys() == exceptions
    assert {name for name, (_, never_sent) in FAULTS.items() if never_sent} == BEFORE


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("trust", get_args(Trust))
@pytest.mark.parametrize("sent", [True, False])
def test_an_observed_request_decides_whatever_the_exception(name: str, trust: Trust, sent: bool) -> None:
    """If it was observed whether the request was sent, the exception's type does not matter."""
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
def test_without_observation_the_exception_decides_as_far_as_trusted(
    error: Exception, trust: Trust, sent: bool
) -> None:
    """If sending was not observed, the exception decides as far as the transport can be trusted."""
    assert fault_of(error, "x", sent=None, trust=trust).sent is sent


def test_a_subclass_of_an_httpx_exception_is_treated_as_its_base() -> None:
    """A transport's own subclass of an httpx exception gets the reason of its base class."""

    class OddError(httpx.ConnectError):
        """An exception of another library."""

    assert fault_of(OddError("x"), "", sent=None, trust="exceptions") == Fault(
        "no connection could be made (OddError)", sent=False
    )


def test_a_timeout_error_of_python_is_a_timeout() -> None:
    """asyncio's TimeoutError is a connect timeout before sending and a response timeout after it."""
    assert fault_of(TimeoutError(), "", sent=True, trust="progress") == Fault(
        "no response in time (TimeoutError)", sent=True
    )
    assert fault_of(TimeoutError(), "", sent=False, trust="progress") == Fault(
        "connecting timed out (TimeoutError)", sent=False
    )


def test_an_unknown_exception_has_a_general_reason() -> None:
    """An exception of no known type gets the reason that the request failed."""
    assert fault_of(OSError(), "x", sent=True, trust="progress").reason == "the request failed (OSError: x)"


def test_the_reason_is_printable() -> None:
    """The reason is printable, even if the exception's message is not."""
    assert fault_of(OSError(), "\x1b" + "x" * 1000, sent=True, trust="progress").reason.isprintable()
