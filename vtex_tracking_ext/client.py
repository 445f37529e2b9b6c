"""The two clients, twins over the same pure code: what they do stands in conversation.py, how in transport.py."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_args

from attrs import asdict, fields
from vtex_oms_client import constants
from vtex_oms_client.models import SendTrackingNumberRequest

from . import limits
from .calls import Call, order_call, tracking_number_call, update_call
from .conversation import (
    Attempt,
    Conversation,
    Exchange,
    OnUnknown,
    Rules,
    changing,
    checking,
    reading,
    sending,
)
from .credentials import Settings, credentials_of, merged, server_url, settings_from_env
from .errors import ConfigurationError, InvalidUpdateError, Problem
from .events import TrackingUpdate
from .retry import RetryPolicy
from .text import quoted
from .transport import AsyncTransport, SyncTransport, Wiring

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from types import TracebackType

    import httpx

    from .events import Package, TrackingEvent, TrackingReceipt, When

T = TypeVar("T")

_SETTINGS = frozenset(attribute.name for attribute in fields(Settings))

#: Seconds that one call may take, all tries and pauses included, unless the client is told otherwise.
DEFAULT_TIMEOUT = 120.0


class _Plans:
    """What both clients are made of: who calls, where, and the conversations. No I/O."""

    def __init__(  # noqa: PLR0913 - the clients' arguments
        self,
        account: str,
        *,
        app_key: str | None,
        app_token: str | None,
        user_token: str | None,
        base_url: str | None,
        environment: str | None,
        timeout: float,
        retry: RetryPolicy | None,
        on_unknown: OnUnknown,
        ca_file: str | os.PathLike[str] | None,
        proxy: str | None,
    ) -> None:
        credentials = credentials_of(app_key, app_token, user_token)
        address = server_url(account, environment, base_url)
        if not (isinstance(timeout, int | float) and 0 < timeout < float("inf")):
            raise ConfigurationError(f"timeout is {quoted(timeout)}: give a number of seconds above zero.")
        if on_unknown not in get_args(OnUnknown):
            raise ConfigurationError(f"on_unknown is {quoted(on_unknown)}: give one of {get_args(OnUnknown)}.")
        headers = credentials.headers()
        self.account = account
        self.wiring = Wiring(address, headers, None if ca_file is None else os.fspath(ca_file), proxy)
        self.rules = Rules(timeout, retry or RetryPolicy(), on_unknown, tuple(headers.values()))

    def describe(self, name: str) -> str:
        """Return a client's repr: the address and the kind of credentials, never a credential."""
        kind = "user token" if constants.VTEX_IDCLIENT_AUT_COOKIE_HEADER in self.wiring.headers else "app key"
        return f"{name}({quoted(self.account)}, {quoted(self.wiring.base_url)}, {kind})"

    def send(self, update: TrackingUpdate) -> Conversation[TrackingReceipt]:
        """Check an update and plan its sending."""
        limits.check(update, self.rules.now())
        return sending(update_call(update, self.rules.secrets), update, self.rules)

    def set_tracking_number(
        self, order_id: str, invoice_number: str, body: SendTrackingNumberRequest
    ) -> Conversation[TrackingReceipt]:
        """Check a tracking number and plan its registration."""
        problems = [*limits.order_id_problems(order_id), *limits.invoice_number_problems(invoice_number)]
        problems += limits.tracking_number_problems(body.to_dict())
        _refuse(problems)
        return changing(tracking_number_call(order_id, invoice_number, body, self.rules.secrets), order_id, self.rules)

    def get_packages(self, order_id: str) -> Conversation[tuple[Package, ...]]:
        """Check an order id and plan the reading of the order."""
        return reading(self._order_call(order_id), self.rules)

    def was_applied(self, update: TrackingUpdate) -> Conversation[bool | None]:
        """Check an update and plan the look at its order."""
        limits.check(update, self.rules.now())
        return checking(self._order_call(update.order_id), update, self.rules)

    def _order_call(self, order_id: str) -> Call:
        _refuse(list(limits.order_id_problems(order_id)))
        return order_call(order_id, self.rules.secrets)


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InvalidUpdateError(problems=problems)


def _from_env(options: dict[str, Any]) -> dict[str, Any]:
    """Return a client's arguments: those given, the gaps filled from the environment."""
    known = {name: options[name] for name in _SETTINGS & options.keys()}
    settings = merged(Settings(**known), settings_from_env(os.environ))
    if settings.account is None:
        raise ConfigurationError("account is missing: set VTEX_ACCOUNT, or give account=.")
    return {**options, **asdict(settings)}


def _delivery(
    order_id: str, invoice_number: str, delivered_date: When | None, events: Iterable[TrackingEvent]
) -> TrackingUpdate:
    return TrackingUpdate(order_id, invoice_number, events, is_delivered=True, delivered_date=delivered_date)


def _tracking_number(
    tracking_number: str, tracking_url: str | None, courier: str | None, dispatched_date: dt.datetime | str | None
) -> SendTrackingNumberRequest:
    return SendTrackingNumberRequest(
        tracking_number=tracking_number,
        tracking_url=tracking_url,
        courier=courier,
        dispatched_date=limits.instant_text(dispatched_date),
    )


class TrackingClient:
    """Tells one VTEX account where its packages are.

    Args:
        account: Name of the VTEX account that fulfils the orders.
        app_key: App key, together with ``app_token``.
        app_token: Secret of the app key.
        user_token: Token of a signed-in user, instead of the pair; valid for 24 hours.
        base_url: Another address to call, such as a sandbox's. https, or http on this machine.
        environment: Host name part after the account; ``vtexcommercestable`` unless given.
        timeout: Seconds that one call may take, all tries and pauses included.
        retry: When to try again; only what is safe is.
        on_unknown: What to do when nobody knows whether an update was applied: ``raise``
            OutcomeUnknownError; ``check``, that is read the order back for some seconds more and return a
            receipt if all of it is there; or ``resend``, which can show the shopper an event twice.
        ca_file: File of certificates to trust instead of the usual ones.
        proxy: Address of a proxy. The environment's proxies are not used, because they would see the keys.
        http_client: Your own ``httpx.Client``. It is not closed, and its redirects, cookies and auth are not used.

    Raises:
        ConfigurationError: The account, the credentials, an address or a file cannot be used.
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
        http_client: httpx.Client | None = None,
    ) -> None:
        self._plans = _Plans(
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
        )
        self._transport = SyncTransport(self._plans.wiring, http_client)

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Make a client from ``VTEX_ACCOUNT``, ``VTEX_APP_KEY`` and ``VTEX_APP_TOKEN`` (or ``VTEX_USER_TOKEN``).

        ``VTEX_BASE_URL`` and ``VTEX_ENVIRONMENT`` are read too. Options given here come before the environment.

        Raises:
            ConfigurationError: Something is missing or cannot be used.
        """
        return cls(**_from_env(options))

    def update(self, order_id: str, invoice_number: str, *, events: Iterable[TrackingEvent]) -> TrackingReceipt:
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
        return self.send(TrackingUpdate(order_id, invoice_number, events))

    def mark_delivered(
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
        return self.send(_delivery(order_id, invoice_number, delivered_date, events))

    def send(self, update: TrackingUpdate) -> TrackingReceipt:
        """Send an update as it stands.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        return self._converse(self._plans.send(update))

    def set_tracking_number(
        self,
        order_id: str,
        invoice_number: str,
        *,
        tracking_number: str,
        tracking_url: str | None = None,
        courier: str | None = None,
        dispatched_date: dt.datetime | str | None = None,
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
            dispatched_date: When it was dispatched: a datetime, sent in ISO 8601, or such a text.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        body = _tracking_number(tracking_number, tracking_url, courier, dispatched_date)
        return self._converse(self._plans.set_tracking_number(order_id, invoice_number, body))

    def get_packages(self, order_id: str) -> tuple[Package, ...]:
        """Read the packages of an order, returns included (``type`` tells them apart).

        The key's role needs the License Manager resource *View order*.

        Raises:
            InvalidUpdateError: The order id cannot be one.
            NotSentError: No connection.
            RefusedError: VTEX said no.
            ReadFailedError: No answer, or none that makes sense.
        """
        return self._converse(self._plans.get_packages(order_id))

    def was_applied(self, update: TrackingUpdate) -> bool | None:
        """Tell whether an update stands on its order, by reading it.

        Returns:
            True where all of it is there; False where nothing of it is, which proves nothing in the first
            seconds after sending; None where only a part is, or the order cannot be read.

        Raises:
            InvalidUpdateError: Such an update cannot be sent.
        """
        return self._converse(self._plans.was_applied(update))

    @property
    def account(self) -> str:
        """Name of the account that this client calls."""
        return self._plans.account

    def close(self) -> None:
        """Close the connections. Using the client as a context manager does it too."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return self._plans.describe(type(self).__name__)

    def _converse(self, conversation: Conversation[T]) -> T:
        """Carry out a conversation's steps and return its result."""
        exchange: Exchange | None = None
        try:
            while True:
                step = conversation.send(exchange)
                if isinstance(step, Attempt):
                    exchange = self._transport.attempt(step)
                else:
                    exchange = None
                    time.sleep(step.seconds)
        except StopIteration as end:
            result: T = end.value
            return result


class AsyncTrackingClient:
    """Tells one VTEX account where its packages are, for asyncio. Arguments and errors of :class:`TrackingClient`.

    ``http_client`` is your own ``httpx.AsyncClient``.
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
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        self._plans = _Plans(
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
        )
        self._transport = AsyncTransport(self._plans.wiring, http_client)

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Make a client from ``VTEX_ACCOUNT``, ``VTEX_APP_KEY`` and ``VTEX_APP_TOKEN`` (or ``VTEX_USER_TOKEN``).

        ``VTEX_BASE_URL`` and ``VTEX_ENVIRONMENT`` are read too. Options given here come before the environment.

        Raises:
            ConfigurationError: Something is missing or cannot be used.
        """
        return cls(**_from_env(options))

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
        return await self.send(_delivery(order_id, invoice_number, delivered_date, events))

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
        dispatched_date: dt.datetime | str | None = None,
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
            dispatched_date: When it was dispatched: a datetime, sent in ISO 8601, or such a text.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        body = _tracking_number(tracking_number, tracking_url, courier, dispatched_date)
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
            True where all of it is there; False where nothing of it is, which proves nothing in the first
            seconds after sending; None where only a part is, or the order cannot be read.

        Raises:
            InvalidUpdateError: Such an update cannot be sent.
        """
        return await self._converse(self._plans.was_applied(update))

    @property
    def account(self) -> str:
        """Name of the account that this client calls."""
        return self._plans.account

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
