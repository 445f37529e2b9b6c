"""Convert the exceptions of HTTP libraries to faults: why there is no response, and whether anything was sent. Pure.

Whether the request's first byte reached a socket is observed wherever possible. Where it is not, the type of the
exception decides, but only for transports that are known to use the types correctly.
"""

from __future__ import annotations

import inspect
import signal
from typing import TYPE_CHECKING, Final, Literal, NoReturn

from attrs import frozen

from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

#: What can be trusted of a transport if a request ends in an exception: its progress was observed down to the socket;
#: only the types of its exceptions; or nothing.
Trust = Literal["progress", "exceptions", "nothing"]

#: httpx's exceptions: the reason to report, and whether each is raised only before the first byte of a request is sent.
FAULTS: Final[Mapping[str, tuple[str, bool]]] = {
    "CloseError": ("closing the connection failed", False),
    "ConnectError": ("no connection could be made", True),
    "ConnectTimeout": ("connecting timed out", True),
    "CookieConflict": ("the cookies are contradictory", False),
    "DecodingError": ("the response could not be decompressed", False),
    "HTTPError": ("the request failed", False),
    "HTTPStatusError": ("an event hook raised an error about the response status", False),
    "InvalidURL": ("the URL is invalid", True),
    "LocalProtocolError": ("the request violates HTTP", False),
    "NetworkError": ("the connection failed", False),
    "PoolTimeout": ("no pooled connection became free in time", True),
    "ProtocolError": ("HTTP was violated", False),
    "ProxyError": ("connecting through the proxy failed", True),
    "ReadError": ("the connection was lost while waiting for the response", False),
    "ReadTimeout": ("no response in time", False),
    "RemoteProtocolError": ("the server violated HTTP or closed the connection", False),
    "RequestError": ("the request failed", False),
    "RequestNotRead": ("the request was not read", False),
    "ResponseNotRead": ("the response was not read", False),
    "StreamClosed": ("the response was closed", False),
    "StreamConsumed": ("the response was already read", False),
    "StreamError": ("the response cannot be read", False),
    "TimeoutException": ("no response in time", False),
    "TooManyRedirects": ("too many redirects", False),
    "TransportError": ("the connection failed", False),
    "UnsupportedProtocol": ("the URL is neither http nor https", True),
    "WriteError": ("the connection was lost while sending the request", False),
    "WriteTimeout": ("sending the request timed out", False),
}


@frozen
class Fault:
    """Why there is no response.

    Attributes:
        reason: The reason as text, without credentials.
        sent: Whether any byte of the request may have been sent.
    """

    reason: str
    sent: bool


def fault_of(error: BaseException, text: str, *, sent: bool | None, trust: Trust) -> Fault:
    """Return the fault for an exception that a transport raised instead of returning a response.

    Args:
        error: The exception.
        text: Its message, without credentials.
        sent: Whether any byte of the request may have been sent, or None if that was not observed.
        trust: What can be trusted of the transport if ``sent`` is None.
    """
    reason, is_before_sending = next(
        (FAULTS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in FAULTS),
        ("the request failed", trust == "progress"),  # with its progress observed, nothing seen means nothing sent
    )
    if isinstance(error, TimeoutError):
        reason = "connecting timed out" if sent is False else "no response in time"
    if sent is None:
        sent = trust == "nothing" or not is_before_sending
    return Fault(f"{reason} ({type(error).__name__}{text and f': {visible(text)}'})", sent=sent)


def interruption_of(error: BaseException) -> BaseException | None:
    """Return what a signal handler raised, if ``error`` is it or was raised from it; else None.

    Python calls a handler between any two steps of what is running, so the ``TimeoutError`` of a time limit reaches
    the same ``except`` clauses as the network's. The traceback tells them apart: a handler, like a trace function, is
    called with the frame that it interrupts as an argument. A handler that has deleted this argument is recognized by
    its code.
    """
    if _passes_handler(error):
        return error
    causes = [error.__cause__, *(error.exceptions if isinstance(error, BaseExceptionGroup) else ())]
    # Not __context__: that is also set if a call begins within an except clause, for an error that was handled there.
    return next((found for each in causes if each is not None and (found := interruption_of(each)) is not None), None)


def raise_interruption(error: BaseException) -> None:
    """Raise what a signal handler raised, if ``error`` is it or was raised from it.

    Call it first in an ``except`` clause that does not raise its exception again.
    """
    if (interruption := interruption_of(error)) is not None:
        raise_again(interruption)


def raise_again(error: BaseException) -> NoReturn:
    """Raise an exception with the context that it has, whatever is being handled here."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error  # its traceback refers to this frame


def _passes_handler(error: BaseException) -> bool:
    """Return whether an exception came through a signal handler, or a function called with its caller's frame."""
    traceback = error.__traceback__
    handlers = _handlers_code() if traceback is not None and traceback.tb_next is not None else ()
    while traceback is not None and traceback.tb_next is not None:
        callee = traceback.tb_next.tb_frame
        if callee.f_code in handlers or _is_argument(traceback.tb_frame, callee):
            return True
        traceback = traceback.tb_next
    return False


def _handlers_code() -> set[object]:
    """Return the code of the functions that handle signals now."""
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    functions = [getattr(each, "func", each) for each in handlers]  # of a functools.partial
    return {getattr(each, "__code__", getattr(type(each).__call__, "__code__", None)) for each in functions}


def _is_argument(caller: FrameType, callee: FrameType) -> bool:
    code = callee.f_code
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)
    arguments = [callee.f_locals.get(name) for name in code.co_varnames[:count]]
    starred = [each for value in arguments if type(value) is tuple for each in value]
    return any(each is caller for each in (*arguments, *starred))
