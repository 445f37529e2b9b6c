"""The asynchronous client: the twin of :mod:`.client`."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .call.steps import Attempt, Conversation, Exchange, OnUnknown
from .config.defaults import DEFAULT_TIMEOUT, MAX_CONNECTIONS
from .config.options import Hooks, Plans, delivery, from_env, tracking_number_body
from .events import TrackingUpdate
from .transport.transport_async import AsyncTransport

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from types import TracebackType

    import httpx

    from .call.retry import RetryPolicy
    from .events import Package, TrackingEvent, TrackingReceipt, When

T = TypeVar("T")


class AsyncTrackingClient:
    """Tells one VTEX account where its packages are, for asyncio. Arguments and errors of :class:`TrackingClient`.

    ``http_client`` is your own ``httpx.AsyncClient``. Each event loop has connections of its own, ``max_connections``
    at most; close the client in the loop that used it.
    """

    def __init__(  # noqa: PLR0913 - one argument a choice
        self,
        account: str,
        *,
        app_key: str | None = None,
        app_token: str | None = None,
        user_token: str | None = None,
        base_url: str | None = None,
        environment: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        on_unknown: OnUnknown = "raise",
        ca_file: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        max_connections: int = MAX_CONNECTIONS,
        on_attempt: Hooks = (),
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        self._plans = Plans(
            account,
            app_key=app_key,
            app_token=app_token,
            user_token=user_token,
            base_url=base_url,
            environment=environment,
            timeout=timeout,
            retry=retry,
            on_unknown=on_unknown,
            ca_file=ca_file,
            proxy=proxy,
            trust_env=trust_env,
            max_connections=max_connections,
            on_attempt=on_attempt,
            own=http_client is None,
        )
        self._transport = AsyncTransport(self._plans.wiring, http_client)

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Make a client from ``VTEX_ACCOUNT``, ``VTEX_APP_KEY`` and ``VTEX_APP_TOKEN`` (or ``VTEX_USER_TOKEN``).

        ``VTEX_BASE_URL`` and ``VTEX_ENVIRONMENT`` are read too. Options given here come before the environment.

        Raises:
            ConfigurationError: Something is missing or cannot be used.
        """
        return cls(**from_env(options))

    async def update(self, order_id: str, invoice_number: str, *, events: Iterable[TrackingEvent]) -> TrackingReceipt:
        """Add events to a package that is on its way.

        Each call appends: sending the same events again shows them to the shopper twice.

        Args:
            order_id: Order id in this account, such as ``1172452900788-01``.
            invoice_number: Invoice number of the package, as text.
            events: The events, oldest first.

        Raises:
            InvalidUpdateError: Something is wrong with it; ``problems`` lists all of it. Nothing was sent.
            NotSentError: No connection. Nothing was sent.
            RefusedError: VTEX said no. Nothing was applied.
            OutcomeUnknownError: It may have been applied or not.
        """
        return await self.send(TrackingUpdate(order_id, invoice_number, events))

    async def mark_delivered(
        self,
        order_id: str,
        invoice_number: str,
        *,
        delivered_date: When | None = None,
        events: Iterable[TrackingEvent] = (),
    ) -> TrackingReceipt:
        """Report a package as delivered or picked up, perhaps with its last events. Treat it as final.

        Args:
            order_id: Order id in this account.
            invoice_number: Invoice number of the package, as text.
            delivered_date: When it was delivered: a datetime (sent as ``yyyy-mm-dd hh:mm``), a date or such a
                text; not in the future. It is never taken from an event, because the last event's date is not
                the delivery date (VTEX documentation).
            events: Events to add, oldest first.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        return await self.send(delivery(order_id, invoice_number, delivered_date, events))

    async def send(self, update: TrackingUpdate) -> TrackingReceipt:
        """Send an update as it stands.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        return await self._converse(self._plans.send(update))

    async def set_tracking_number(
        self,
        order_id: str,
        invoice_number: str,
        *,
        tracking_number: str,
        tracking_url: str | None = None,
        courier: str | None = None,
        dispatched_date: When | None = None,
    ) -> TrackingReceipt:
        """Register the tracking number of a package. Events can be added from then on.

        It replaces all four values: one left out is sent as null, as VTEX's contract asks, and may erase what
        stood there.

        Args:
            order_id: Order id in this account.
            invoice_number: Invoice number of the package, as text.
            tracking_number: The carrier's number, not blank.
            tracking_url: Where the shopper follows the package.
            courier: Name of the carrier.
            dispatched_date: When it was dispatched: a datetime or a date, sent in ISO 8601, or such a text.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        body = tracking_number_body(tracking_number, tracking_url, courier, dispatched_date)
        return await self._converse(self._plans.set_tracking_number(order_id, invoice_number, body))

    async def get_packages(self, order_id: str) -> tuple[Package, ...]:
        """Read the packages of an order, returns included (``type`` tells them apart).

        The key's role needs the License Manager resource *View order*.

        Raises:
            InvalidUpdateError: The order id cannot be one.
            NotSentError: No connection.
            RefusedError: VTEX said no.
            ReadFailedError: No answer, or none that makes sense.
        """
        return await self._converse(self._plans.get_packages(order_id))

    async def was_applied(self, update: TrackingUpdate) -> bool | None:
        """Tell whether an update stands on its order, by reading it.

        Returns:
            True where all of it is there, be it from an equal update that was sent before; False where nothing of
            it is, which proves nothing in the first seconds after sending; None where only a part is, or the
            order cannot be read.

        Raises:
            InvalidUpdateError: Such an update cannot be sent.
        """
        return await self._converse(self._plans.was_applied(update))

    def paced(self) -> Self:
        """Return the same client, over the same connections, for whoever calls from many places at a pace of their own.

        It raises RateLimitedError and OutcomeUnknownError at once, whatever ``retry`` and ``on_unknown`` say, because
        then it is all of the calls that must wait, not one.
        """
        other = copy(self)
        other._plans = self._plans.paced()  # noqa: SLF001 - of the same class
        return other

    @property
    def account(self) -> str:
        """Name of the account that this client calls."""
        return self._plans.account

    @property
    def base_url(self) -> str:
        """The address that it calls, without a slash at its end."""
        return self._plans.wiring.base_url

    async def close(self) -> None:
        """Close the connections. Using the client as a context manager does it too."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return self._plans.describe(type(self).__name__)

    async def _converse(self, conversation: Conversation[T]) -> T:
        """Carry out a conversation's steps and return its result."""
        exchange: Exchange | None = None
        try:
            while True:
                step = conversation.send(exchange)
                if isinstance(step, Attempt):
                    exchange = await self._transport.attempt(step)
                else:
                    exchange = None
                    await asyncio.sleep(step.seconds)
        except StopIteration as end:
            result: T = end.value
            return result
