"""Single calls to one account, at the pace that all of its threads share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from vtex_tracking_ext.errors import RateLimitedError, VtexTrackingError

from .calls import AccountPause

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.client import TrackingClient

    from .pace import Pace

T = TypeVar("T")

#: Seconds of a pause that is worth reporting.
_REPORTED_PAUSE: Final = 0.5


class CancelledError(VtexTrackingError):
    """The pace was cancelled, for example by Ctrl-C: the call was not made."""


class PacedCalls:
    """Makes calls when the account may be called, and again after a 429. Thread-safe.

    Args:
        client: The client.
        pace: The pace of the account.
        account: Name of the account in reports of pauses.
        on_pause: Called with each pause that is worth reporting.

    Attributes:
        account: As given.
        pace: As given; it says why the account was stopped.
    """

    def __init__(
        self, client: TrackingClient, pace: Pace, account: str, on_pause: Callable[[AccountPause], object]
    ) -> None:
        self._client = client.paced()
        self._on_pause = on_pause
        self.account = account
        self.pace = pace

    def call(self, function: Callable[[TrackingClient], T]) -> T:
        """Make a call: the function, with the client.

        Raises:
            CancelledError: The pace was cancelled before the call.
            VtexTrackingError: The call failed, or the account was stopped before it.
        """
        while self.pace.wait_for_turn():
            try:
                result = function(self._client)
            except VtexTrackingError as error:
                seconds = self.pace.record_result(error)
                if seconds > _REPORTED_PAUSE and not self.pace.stop_reason:
                    self._on_pause(AccountPause(self.account, seconds, error.reason))
                if not isinstance(error, RateLimitedError):
                    raise
            else:
                self.pace.record_result(None)
                return result
        raise self.pace.stop_error or CancelledError("The run was interrupted.")
