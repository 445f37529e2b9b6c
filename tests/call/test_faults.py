"""Conversion of an HTTP library's exceptions to faults."""

from __future__ import annotations

import inspect
import signal
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import httpx
import pytest

from vtex_tracking_ext.call.faults import FAULTS, Fault, Trust, fault_of, interruption_of, raise_interruption

if TYPE_CHECKING:
    from collections.abc import Callable

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


def raised_by(handler: Callable[[int, object], NoReturn], wrapped: Callable[[BaseException], BaseException]) -> Any:
    """Return an exception that wraps what a signal handler raised."""
    before = signal.signal(signal.SIGTERM, handler)
    try:
        signal.raise_signal(signal.SIGTERM)
    except BaseException as error:  # noqa: BLE001 - whatever the handler raises
        return wrapped(error)
    finally:
        signal.signal(signal.SIGTERM, before)


def time_limit(_number: int, _frame: object) -> NoReturn:
    """Raise what a time limit does, as a signal handler."""
    raise TimeoutError("the time is up")


def time_limit_of_any_arguments(*_: object) -> NoReturn:
    """Raise what a time limit does, as a signal handler that ignores its arguments."""
    raise TimeoutError("the time is up")


def caused(error: BaseException) -> BaseException:
    """Return an exception as the HTTP libraries map it."""
    mapped = httpx.ReadTimeout("mapped")
    mapped.__cause__ = error
    return mapped


@pytest.mark.parametrize("handler", [time_limit, time_limit_of_any_arguments])
@pytest.mark.parametrize("wrapped", [lambda error: error, caused, lambda error: BaseExceptionGroup("all", [error])])
def test_what_a_signal_handler_raised_is_found(handler: Any, wrapped: Any) -> None:
    """Also where a library has mapped it, or an exception group holds it; it is raised with its own context."""
    error = raised_by(handler, wrapped)
    interruption = interruption_of(error)
    assert str(interruption) == "the time is up"
    with pytest.raises(TimeoutError) as caught:  # noqa: PT012 - within an except clause
        try:
            raise ValueError  # noqa: TRY301 - what is being handled
        except ValueError:
            raise_interruption(error)
    assert caught.value is interruption
    assert caught.value.__context__ is None


def time_limit_that_drops_its_arguments(number: int, frame: object) -> NoReturn:
    """Raise what a time limit does, as a signal handler without unused variables."""
    del number, frame
    raise TimeoutError("the time is up")


class TimeLimit:
    """A signal handler that is an object."""

    def __call__(self, number: int, frame: object) -> NoReturn:
        """Raise what a time limit does."""
        del number, frame
        raise TimeoutError("the time is up")


@pytest.mark.parametrize(
    "handler",
    [
        time_limit_that_drops_its_arguments,
        partial(time_limit_that_drops_its_arguments),
        TimeLimit(),
        TimeLimit().__call__,
    ],
)
def test_a_signal_handler_may_have_deleted_its_arguments(handler: Any) -> None:
    """What it raised is found as long as it is the handler."""
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(TimeoutError) as caught:
            signal.raise_signal(signal.SIGTERM)
        assert interruption_of(caught.value) is caught.value
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_exception_that_was_handled_before_is_no_interruption() -> None:
    """A call within the except clause of a time limit has the limit as its context, which is not its cause."""
    error = httpx.ReadTimeout("x")
    error.__context__ = raised_by(time_limit, lambda limit: limit)
    raise_interruption(error)
    assert interruption_of(error) is None
