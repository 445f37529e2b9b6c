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

from typing import TYPE_CHECKING, ClassVar, Final, Literal, NamedTuple

from .text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What a client does in one call of VTEX's API, by the name of its method. ``send`` is also that of ``update`` and
#: ``mark_delivered``, and ``get_packages`` that of every reading of an order.
Operation = Literal[
    "send",
    "set_tracking_number",
    "get_packages",
    "read_feed",
    "commit_feed",
    "get_feed_configuration",
    "configure_feed",
    "list_orders",
]

#: Characters of an id that a message shows. VTEX's are shorter; an invalid one may have any length.
_ID_LENGTH: Final = 80


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

    ``str`` names the order and the invoice, or the operation if it is about neither: ``Order 1172452900788-01, invoice
    000030711: refused, 404 order not found (OMS001). Check ...``. ``reason`` is the text without order and outcome.

    Attributes:
        applied: Whether the change was applied: False, or None if only reading the order can tell.
        attempts: Number of requests that were begun for the call.
        account: The VTEX account that was called; None if the error is not about a call. Likewise for the others.
        operation: What was called.
        order_id: The order, as the caller gave it (without credentials); None if the call is not about one order.
        invoice_number: The invoice; None if the call is not about one invoice.
    """

    applied: bool | None = False
    attempts: int = 0
    account: str | None = None
    operation: Operation | None = None
    order_id: str | None = None
    invoice_number: str | None = None
    _outcome: ClassVar[str] = ""

    @property
    def reason(self) -> str:
        """What happened and what to do, such as ``404 order not found (OMS001). Check ...``; it names no order."""
        return super().__str__()

    def __str__(self) -> str:
        if self.operation is None:
            return self.reason
        return f"{self._subject()}: {self._outcome and f'{self._outcome}, '}{self.reason}"

    def _subject(self) -> str:
        if self.order_id is None:
            return (self.operation or "").replace("_", " ").capitalize()
        invoice = "" if self.invoice_number is None else f", invoice {visible(self.invoice_number, _ID_LENGTH)}"
        return f"Order {visible(self.order_id, _ID_LENGTH)}{invoice}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


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


class ReadFailedError(_ResponseError):
    """A read failed: there was no response in time, or none that is what was to be read. Nothing was changed."""

    _outcome = "not read"


class RefusedError(_ResponseError):
    """VTEX, or a gateway in front of it, refused the request. Nothing was applied."""

    status_code: int
    _outcome = "refused"


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
    _outcome = "outcome unknown"
