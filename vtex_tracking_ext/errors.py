"""The exceptions, all under one base class. ``applied`` answers the important question: did the change reach VTEX?

::

    VtexTrackingError               applied  base class
    |-- ConfigurationError            False  the account, credentials, an address or a file cannot be used
    |-- InvalidUpdateError            False  an update breaks a rule; also a ValueError; ``problems`` lists all of them
    |-- NotSentError                  False  no byte of the request was sent
    |-- ReadFailedError               False  what was to be read could not be; a read changes nothing
    |-- RefusedError                  False  refused by the server: status 3xx, 4xx except 408, or 501
    |   |-- AuthenticationError              401
    |   |-- PermissionDeniedError            403
    |   |-- NotFoundError                    404
    |   |-- ConflictError                    409
    |   `-- RateLimitedError                 429; ``retry_after`` in seconds, or None
    `-- OutcomeUnknownError           None   the change may have been applied: read the order before sending it again

The bulk part adds InputFileError and JournalError. All exceptions can be pickled and copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Problem(NamedTuple):
    """One thing that is wrong with an update.

    Attributes:
        place: Place of the value in Python's notation, such as ``events[3].description``.
        message: What is wrong, and how to fix it.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class VtexTrackingError(Exception):
    """Base class of all exceptions that this package raises.

    Attributes:
        applied: Whether the change was applied: False, or None if only reading the order can tell.
        attempts: Number of requests that were begun for the call.
    """

    applied: bool | None = False
    attempts: int = 0


class ConfigurationError(VtexTrackingError):
    """The account, the credentials, an address or a file cannot be used. Nothing was sent."""


class InvalidUpdateError(VtexTrackingError, ValueError):
    """The update exceeds a limit of openapi.yaml or breaks a rule of VTEX or of this package. Nothing was sent.

    Attributes:
        problems: Every problem of the update, in the order of its fields.
    """

    def __init__(self, message: str = "", *, problems: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message or "; ".join(map(str, self.problems)))


class NotSentError(VtexTrackingError):
    """No byte was sent: connection refused, host name not found, TLS failure or connect timeout. Safe to retry."""


class _ResponseError(VtexTrackingError):
    """Base class of the errors that carry the server's response, if there was one.

    Attributes:
        status_code: HTTP status, or None if there was no response.
        code: VTEX's error code as text, such as ``OMS003``, or None.
        message: VTEX's error message, or None. Its wording and language vary: do not compare it.
        request_id: Id by which VTEX's support can find the request, or None.
        headers: Response headers, with lower-case names and without credentials.
        body: Response body as text, without credentials. Neither ``str`` nor ``repr`` shows it.
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


class ReadFailedError(_ResponseError):
    """A read failed: there was no response in time, or none that is what was to be read. Nothing was changed."""


class RefusedError(_ResponseError):
    """VTEX, or a gateway in front of it, refused the request. Nothing was applied."""

    status_code: int


class AuthenticationError(RefusedError):
    """Status 401: the credentials are missing, wrong or expired."""


class PermissionDeniedError(RefusedError):
    """Status 403: the key's role lacks the License Manager resource that the call needs."""


class NotFoundError(RefusedError):
    """Status 404: the account has no such order, the order has no such invoice, or the key has no feed."""


class ConflictError(RefusedError):
    """Status 409: the order's state does not allow the change."""


class RateLimitedError(RefusedError):
    """Status 429: the account is over its rate limit, which all systems of the merchant share.

    Attributes:
        retry_after: Seconds to wait according to ``Retry-After``, or None if it is absent or invalid.
    """

    retry_after: float | None = None


class OutcomeUnknownError(_ResponseError):
    """The request may have been sent, and no response tells its outcome. A second update may add its events twice."""

    applied = None
