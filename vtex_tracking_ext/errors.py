"""The errors, all under one base. ``applied`` answers the question that matters: did the change reach VTEX?

::

    VtexTrackingError                 applied: True, False or None (unknown)
    |-- ConfigurationError            False  account, credentials, address or file: nothing was sent
    |-- InvalidUpdateError            False  also a ValueError; ``problems`` lists everything that is wrong
    |-- NotSentError                  False  no connection: not one byte of the request left
    |-- ReadFailedError               False  a read (an order's packages) failed; reads change nothing
    |-- RefusedError                  False  VTEX said no: 3xx, 4xx but 408, 501
    |   |-- AuthenticationError              401
    |   |-- PermissionDeniedError            403
    |   |-- NotFoundError                    404
    |   |-- ConflictError                    409
    |   `-- RateLimitedError                 429; ``retry_after`` in seconds, or None
    `-- OutcomeUnknownError           None   it may have been applied: read the order before sending again

All of them survive :mod:`pickle` and :mod:`copy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Problem(NamedTuple):
    """One thing that is wrong with an update.

    Attributes:
        place: Where, in Python's notation: ``events[3].description``.
        message: What is wrong, and how to mend it.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class VtexTrackingError(Exception):
    """Anything this package raises.

    Attributes:
        applied: Whether the change reached VTEX: True, False, or None where nobody can know without reading
            the order.
        attempts: How many requests were begun for this call.
    """

    applied: bool | None = False
    attempts: int = 0


class ConfigurationError(VtexTrackingError):
    """The account, the credentials, an address or a file cannot be used. Nothing was sent."""


class InvalidUpdateError(VtexTrackingError, ValueError):
    """The update breaks a limit of openapi.yaml or a rule of VTEX. Nothing was sent.

    Attributes:
        problems: Everything that is wrong, in the order of the fields.
    """

    def __init__(self, message: str = "", *, problems: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message or "; ".join(map(str, self.problems)))


class NotSentError(VtexTrackingError):
    """No connection was made: refused, name not found, TLS failure, time-out before sending. Safe to repeat."""


class _AnsweredError(VtexTrackingError):
    """Holds what is known of VTEX's answer.

    Attributes:
        status_code: HTTP status, or None where no answer came.
        code: VTEX's error code, such as ``OMS003``, or None. Text, never a number.
        message: VTEX's own words, in whatever language; never match on them.
        request_id: What VTEX's support asks for, or None.
        headers: The answer's headers, names in lower case, credentials removed.
        body: The answer's body as text, credentials removed; not shown in ``str`` or ``repr``.
    """

    def __init__(
        self,
        text: str = "",
        *,
        status_code: int | None = None,
        code: str | None = None,
        message: str | None = None,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: str = "",
    ) -> None:
        super().__init__(text)
        self.status_code = status_code
        self.code = code
        self.message = message
        self.request_id = request_id
        self.headers = dict(headers or {})
        self.body = body

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ReadFailedError(_AnsweredError):
    """An order could not be read: no answer in time, or none that makes sense. Reading changes nothing."""


class RefusedError(_AnsweredError):
    """VTEX, or a gateway before it, said no. Nothing was applied."""

    status_code: int


class AuthenticationError(RefusedError):
    """401: the credentials are missing, wrong or expired."""


class PermissionDeniedError(RefusedError):
    """403: the key is known, but its role lacks the License Manager resource that the call needs."""


class NotFoundError(RefusedError):
    """404: no such order in this account, or no such invoice on it."""


class ConflictError(RefusedError):
    """409: the order is in a state that does not take the change."""


class RateLimitedError(RefusedError):
    """429: the account is over its limit, which it shares with the merchant's other systems.

    Attributes:
        retry_after: Seconds VTEX asked to wait, or None where it did not say or said nonsense.
    """

    retry_after: float | None = None


class OutcomeUnknownError(_AnsweredError):
    """Bytes of the request may have left and no trustworthy answer came. Sending again may add events twice."""

    applied = None
