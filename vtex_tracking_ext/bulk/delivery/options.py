"""How an account is delivered."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen, validators

from vtex_tracking_ext.config.defaults import DEFAULT_CONCURRENCY, EVENTS_PER_CALL, MAX_CONCURRENCY

#: Seconds before each of the rechecks, at the end of a run, of what became doubtful in it. VTEX shows an accepted
#: change after about six seconds (observed).
RECHECK_DELAYS: Final = (2.0, 5.0, 8.0)


@frozen
class DeliveryOptions:
    """How a run delivers.

    Attributes:
        concurrency: Packages of one account at the same time, from 1 to :data:`MAX_CONCURRENCY`.
        events_per_call: Events of a package in one call at most, at least 1; with 1, each is sent alone.
        send_after_unknown: Send later events of a package although an earlier outcome is unknown. The shopper can
            then see events in another order.
        recheck_delays: Seconds before each of the rechecks, at the end, of what became doubtful in the run.
        resend_after: Seconds after its call after which an entry of unknown outcome is sent again if its order does
            not show it; None for never. VTEX shows an accepted event after some seconds (6 s were observed).
        slice_seconds: For a program that delivers many accounts in turn: seconds after which it ends, with the rest
            left. It then reads orders only when they are due, and does not wait for them. None to deliver everything.
    """

    concurrency: int = field(default=DEFAULT_CONCURRENCY, validator=[validators.ge(1), validators.le(MAX_CONCURRENCY)])
    events_per_call: int = field(default=EVENTS_PER_CALL, validator=validators.ge(1))
    send_after_unknown: bool = False
    recheck_delays: tuple[float, ...] = field(factory=lambda: RECHECK_DELAYS)
    resend_after: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
    slice_seconds: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
