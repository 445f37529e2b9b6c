"""Why there is no answer, and whether anything was sent: exceptions of an HTTP library become one truth. Pure.

What counts is what was seen: whether the request's first byte came to a socket. The type of an exception is believed
only where nothing could be seen, and only of transports that are known to use it truly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a transport can be believed about a request that ended in an exception: its progress was watched down to the
#: socket; only the types of its exceptions; or nothing.
Trust = Literal["progress", "exceptions", "nothing"]

#: httpx's exceptions: what each means, and whether it is raised only before the first byte of the request leaves.
FAULTS: Final[Mapping[str, tuple[str, bool]]] = {
    "CloseError": ("the connection could not be closed", False),
    "ConnectError": ("no connection could be made", True),
    "ConnectTimeout": ("no connection in time", True),
    "CookieConflict": ("contradictory cookies", False),
    "DecodingError": ("the answer is compressed in a way that cannot be read", False),
    "HTTPError": ("the request failed", False),
    "HTTPStatusError": ("an event hook raised on the status of the answer", False),
    "InvalidURL": ("the address cannot be used", True),
    "LocalProtocolError": ("the request breaks the rules of HTTP", False),
    "NetworkError": ("the connection failed", False),
    "PoolTimeout": ("no connection was free in time", True),
    "ProtocolError": ("the rules of HTTP were broken", False),
    "ProxyError": ("the proxy did not let the connection through", True),
    "ReadError": ("the connection broke while waiting for the answer", False),
    "ReadTimeout": ("no answer in time", False),
    "RemoteProtocolError": ("the server broke the rules of HTTP, or hung up", False),
    "RequestError": ("the request failed", False),
    "RequestNotRead": ("the request was not read", False),
    "ResponseNotRead": ("the answer was not read", False),
    "StreamClosed": ("the answer was closed", False),
    "StreamConsumed": ("the answer was read already", False),
    "StreamError": ("the answer cannot be read", False),
    "TimeoutException": ("no answer in time", False),
    "TooManyRedirects": ("too many redirects", False),
    "TransportError": ("the connection failed", False),
    "UnsupportedProtocol": ("the address is neither http nor https", True),
    "WriteError": ("the connection broke while sending", False),
    "WriteTimeout": ("the request could not be sent in time", False),
}


@frozen
class Fault:
    """Why there is no answer.

    Attributes:
        reason: In words, without credentials.
        sent: Whether bytes of the request may have left this machine.
    """

    reason: str
    sent: bool


def fault_of(error: BaseException, text: str, *, sent: bool | None, trust: Trust) -> Fault:
    """Return the fault that an exception stands for.

    Args:
        error: What was raised in the place of an answer.
        text: Its words, credentials taken out.
        sent: Whether bytes of the request may have left, as it was seen; None where nothing was seen of it.
        trust: What the transport can be believed where nothing was seen.
    """
    name = type(error).__name__
    known = next((FAULTS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in FAULTS), None)
    words = known[0] if known else "the request failed"
    if isinstance(error, TimeoutError):
        words = "no connection in time" if sent is False else "no answer in time"
    if sent is None:
        never = known[1] if known else trust == "progress"  # what was watched and not seen did not happen
        sent = trust == "nothing" or not never
    return Fault(f"{words} ({name}{text and f': {visible(text)}'})", sent=sent)
