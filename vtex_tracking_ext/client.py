"""The synchronous client, a twin of :mod:`.client_async` over the same pure code.

The steps of each call are in :mod:`.call.steps`; :mod:`.transport` sends requests. Only modules whose names end in
``_async`` import asyncio, which would take a tenth of the start of a process that does not use an event loop.
"""

from __future__ import annotations

import time
from copy import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from . import call
from .config.defaults import DEFAULT_TIMEOUT, MAX_CONNECTIONS
from .config.options import Hooks, OnUnknown, arguments_from_env, client_options
from .config.secret import hidden_frames
from .events import TrackingUpdate
from .transport.lazy import LazyTransport

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Unpack

    from .call.answer import Answer
    from .call.faults import Fault
    from .call.steps import Steps
    from .client_arguments import ClientArguments
    from .config.retry_policy import RetryPolicy
    from .config.server import Server
    from .events import DateLike, Package, TrackingEvent, TrackingReceipt
    from .finding import FeedConfiguration, FeedItem, OrderPage
    from .transport.caller_client import HttpClient
    from .transport.route import Route
    from .transport.transport import SyncTransport

T = TypeVar("T")


class TrackingClient:
    """A client that reports tracking events to one VTEX account.

    Args:
        account: Name of the VTEX account that fulfils the orders.
        app_key: App key, together with ``app_token``.
        app_token: Secret of the app key.
        user_token: Token of a signed-in user, instead of the pair; valid for 24 hours.
        base_url: Another address to call, such as a sandbox's. https, or http on this machine.
        environment: Host name part after the account; ``vtexcommercestable`` unless given.
        timeout: Seconds that one call may take, retries and pauses included; a week at most.
        retry: When to retry. Only what is safe to send again is retried.
        on_unknown: What to do if the outcome of an update is unknown: ``raise`` OutcomeUnknownError; ``check``, which
            reads the order and returns a receipt if the order shows the whole update; or ``resend``, after which the
            shopper may see an event twice.
        ca_file: File of certificates to trust instead of the default ones.
        proxy: Address of an HTTP proxy, such as ``http://proxy.example:3128``, to connect through (CONNECT).
        trust_env: Whether to use the proxies and certificates that the environment names (``HTTPS_PROXY``,
            ``NO_PROXY``, ``SSL_CERT_FILE``). Off by default, because they allow reading and forging all traffic.
        max_connections: Maximum number of open connections; further calls wait for one.
        on_attempt: A function, or several, called after each request with an :class:`AttemptEvent`. They should return
            quickly and are not awaited; an exception that one raises is logged and otherwise ignored.
        log_ids: Whether the log names the order and the invoice of each call. Off by default, because logs are kept and
            shared more widely than errors, which always name them.
        http_client: Your own ``httpx.Client``, for its proxies, certificates, limits and event hooks. Its headers,
            query, redirects, cookies and auth are not used, each request opens a new connection, and you close it.

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
        trust_env: bool = False,
        max_connections: int = MAX_CONNECTIONS,
        on_attempt: Hooks = (),
        log_ids: bool = False,
        http_client: HttpClient | None = None,
    ) -> None:
        with hidden_frames():
            self._options = client_options(
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
                log_ids=log_ids,
                has_http_client=http_client is not None,
            )
            self._transport = LazyTransport(_make_transport, self._options.server, http_client)
            del app_key, app_token, user_token, proxy  # an interrupt as the block ends would show them

    @classmethod
    def from_env(cls, **options: Unpack[ClientArguments]) -> Self:
        """Create a client from ``VTEX_ACCOUNT``, ``VTEX_APP_KEY`` and ``VTEX_APP_TOKEN`` (or ``VTEX_USER_TOKEN``).

        ``VTEX_BASE_URL`` and ``VTEX_ENVIRONMENT`` are read too. Arguments take precedence over the environment.

        Raises:
            ConfigurationError: An option is missing or cannot be used.
        """
        with hidden_frames():
            arguments = cast("dict[str, Any]", options)
            client = cls(**arguments_from_env(arguments))
            arguments.clear()
            return client

    def update(
        self, order_id: str, invoice_number: str, *, events: Iterable[TrackingEvent], timeout: float | None = None
    ) -> TrackingReceipt:
        """Add events to a package in transit.

        Each call appends its events: if you send the same events again, the shopper sees them twice.

        Args:
            order_id: Order id in this account, such as ``1172452900788-01``.
            invoice_number: Invoice number of the package, as text.
            events: The events, oldest first.
            timeout: Seconds that this call may take, instead of the client's ``timeout``.

        Raises:
            InvalidUpdateError: The update is invalid; ``problems`` lists every reason. Nothing was sent.
            NotSentError: No connection was made. Nothing was sent.
            RefusedError: VTEX refused the update. Nothing was applied.
            OutcomeUnknownError: The update may have been applied or not.
        """
        return self.send(TrackingUpdate(order_id, invoice_number, events), timeout=timeout)

    def mark_delivered(
        self,
        order_id: str,
        invoice_number: str,
        *,
        delivered_date: DateLike | None = None,
        events: Iterable[TrackingEvent] = (),
        timeout: float | None = None,
    ) -> TrackingReceipt:
        """Report a package as delivered or picked up. A delivery cannot be taken back.

        Args:
            order_id: Order id in this account.
            invoice_number: Invoice number of the package, as text.
            delivered_date: When it was delivered: a datetime (sent as ``yyyy-mm-dd hh:mm``), a date, or text in either
                format; not in the future. It is never taken from an event, because the date of the last event is not
                the delivery date (VTEX documentation).
            events: Last events to add, oldest first.
            timeout: As for :meth:`update`.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        update = TrackingUpdate(order_id, invoice_number, events, is_delivered=True, delivered_date=delivered_date)
        return self.send(update, timeout=timeout)

    def send(self, update: TrackingUpdate, *, timeout: float | None = None) -> TrackingReceipt:
        """Send an update.

        Args:
            update: The update.
            timeout: As for :meth:`update`.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        return self._run(call.steps.send_update(update, self._options.with_changes(timeout)))

    def set_tracking_number(
        self,
        order_id: str,
        invoice_number: str,
        *,
        tracking_number: str,
        tracking_url: str | None = None,
        courier: str | None = None,
        dispatched_date: DateLike | None = None,
        timeout: float | None = None,
    ) -> TrackingReceipt:
        """Register the tracking number of a package, which VTEX requires before its first event.

        The call replaces all four values. VTEX's contract sends an omitted one as null, which may erase the old value.
        After an OutcomeUnknownError, the call can be repeated with the same values.

        Args:
            order_id: Order id in this account.
            invoice_number: Invoice number of the package, as text.
            tracking_number: The carrier's number, not blank.
            tracking_url: Page on which the shopper can follow the package.
            courier: Name of the carrier.
            dispatched_date: When it was dispatched: a datetime or a date, sent in ISO 8601, or text in that format.
            timeout: As for :meth:`update`.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        return self._run(
            call.steps.set_tracking_number(
                order_id,
                invoice_number,
                tracking_number,
                tracking_url,
                courier,
                dispatched_date,
                self._options.with_changes(timeout),
            )
        )

    def get_packages(self, order_id: str, *, timeout: float | None = None) -> tuple[Package, ...]:
        """Read the packages of an order, returns included (``type`` tells them apart).

        The key's role needs the License Manager resource *View order*.

        Args:
            order_id: Order id in this account.
            timeout: As for :meth:`update`.

        Raises:
            InvalidUpdateError: The order id is invalid.
            NotSentError: No connection was made.
            RefusedError: VTEX refused the request.
            ReadFailedError: There was no answer, or no readable one.
        """
        return self._run(call.steps.get_packages(order_id, self._options.with_changes(timeout)))

    def was_applied(self, update: TrackingUpdate, *, timeout: float | None = None) -> bool | None:
        """Read an order, and return whether it shows an update.

        Args:
            update: The update.
            timeout: As for :meth:`update`.

        Returns:
            True if the order shows the whole update, perhaps from an equal update that was sent earlier; False if it
            shows nothing of it, which proves nothing in the first seconds after sending; None if it shows a part, or
            cannot be read.

        Raises:
            InvalidUpdateError: The update is invalid.
        """
        return self._run(call.steps.look_up_update(update, self._options.with_changes(timeout)))

    def read_feed(self, max_items: int = 10, *, timeout: float | None = None) -> tuple[FeedItem, ...]:
        """Take items from the feed of this app key; an empty result means that none is visible now.

        VTEX hides the items from further calls until the feed's visibility timeout ends, and sends them again unless
        :meth:`commit_feed` is called before. If the response is lost, the items come again, too. An empty result does
        not prove that the feed is empty (VTEX's FAQ on ERP integration). The key's role needs the License Manager
        resource *Feed v3 and Hook Admin* (VTEX's guide on Feed v3).

        Args:
            max_items: How many items to take at most, from 1 to 10 (VTEX documentation).
            timeout: As for :meth:`update`.

        Raises:
            InvalidUpdateError: ``max_items`` is out of range.
            NotFoundError: The key has no feed; see :meth:`configure_feed`.
            VtexTrackingError: Otherwise as for :meth:`get_packages`.
        """
        return self._run(call.finding.read_feed(max_items, self._options.with_changes(timeout)))

    def commit_feed(self, handles: Iterable[str], *, timeout: float | None = None) -> None:
        """Remove items from the feed, for every user of this app key. Commit only what you have stored.

        A commit is repeated like a read if no response tells its outcome. This is safe: a handle names one event, so a
        second commit removes nothing else, and an event that was not removed comes again.

        Args:
            handles: The handles of the items. With none, nothing is sent.
            timeout: As for :meth:`update`.

        Raises:
            VtexTrackingError: As for :meth:`update`. After any error, the items may come again.
        """
        return self._run(call.finding.commit_feed(handles, self._options.with_changes(timeout)))

    def get_feed_configuration(self, *, timeout: float | None = None) -> FeedConfiguration | None:
        """Read the configuration of this app key's feed; None if the key has no feed.

        Args:
            timeout: As for :meth:`update`.

        Raises:
            VtexTrackingError: As for :meth:`get_packages`.
        """
        return self._run(call.finding.get_feed_configuration(self._options.with_changes(timeout)))

    def configure_feed(
        self,
        configuration: FeedConfiguration,
        *,
        replaces: FeedConfiguration | None = None,
        timeout: float | None = None,
    ) -> FeedConfiguration:
        """Configure this app key's feed, unless it is configured already. Return the configuration that it has now.

        A key has one feed (VTEX's guide on Feed v3), so a configuration that is there may be another system's. It is
        returned, and nothing is changed. If you decide to replace it, call again with it as ``replaces``. A
        configuration that someone else stores between this call's reading and writing is overwritten.

        Args:
            configuration: The configuration to store.
            replaces: The configuration that may be overwritten, as it was read before.
            timeout: As for :meth:`update`.

        Raises:
            VtexTrackingError: As for :meth:`update`.
        """
        return self._run(call.finding.configure_feed(configuration, replaces, self._options.with_changes(timeout)))

    def list_orders(
        self,
        *,
        page: int = 1,
        per_page: int = 100,
        invoiced: tuple[dt.datetime, dt.datetime] | None = None,
        status: str | None = None,
        order_by: str = "creationDate,asc",
        timeout: float | None = None,
    ) -> OrderPage:
        """Read one page of the orders that pass all filters.

        VTEX advises against the list for integrations, because it shows a change some minutes later, and at most 30
        pages of 100 orders. The key's role needs the License Manager resource *List Orders* (VTEX documentation).

        Args:
            page: Number of the page, from 1 to 30. If there are more pages, ask for a shorter time.
            per_page: Orders a page, up to 100.
            invoiced: When the order was invoiced: the first and the last moment, with time zones, both included. VTEX
                compares milliseconds; anything finer is cut off.
            status: Status of the order, such as ``invoiced``.
            order_by: ``creationDate``, ``orderId``, ``items``, ``totalValue`` or ``origin``, and ``,asc`` or ``,desc``.
                By default, orders created while you read do not move the pages that follow.
            timeout: As for :meth:`update`.

        Raises:
            InvalidUpdateError: An argument is out of VTEX's range.
            VtexTrackingError: Otherwise as for :meth:`get_packages`.
        """
        return self._run(
            call.finding.list_orders(page, per_page, order_by, invoiced, status, self._options.with_changes(timeout))
        )

    def with_options(
        self, *, timeout: float | None = None, retry: RetryPolicy | None = None, on_unknown: OnUnknown | None = None
    ) -> Self:
        """Return a light copy with other options, over the same connections and at the same pace.

        Closing the copy or this client closes the connections of both, so close only one of them, at the end.

        Args:
            timeout: Seconds that one call may take; None keeps this client's value. Likewise for the others.
            retry: When to retry.
            on_unknown: What to do if the outcome of an update is unknown.

        Raises:
            ConfigurationError: A value cannot be used.
        """
        other = copy(self)
        other._options = self._options.with_changes(timeout, retry, on_unknown)  # noqa: SLF001 - of the same class
        return other

    def paced(self) -> Self:
        """Return a client over the same connections, for callers that pace many concurrent calls themselves.

        It raises RateLimitedError and OutcomeUnknownError at once, whatever ``retry`` and ``on_unknown`` say, because
        after those all concurrent calls must wait, not one. Commits of feed items are still repeated.
        """
        other = copy(self)
        other._options = self._options.without_waiting()  # noqa: SLF001 - of the same class
        return other

    @property
    def account(self) -> str:
        """The VTEX account that this client calls."""
        return self._options.account

    @property
    def base_url(self) -> str:
        """The address that this client calls, without a trailing slash."""
        return self._options.server.base_url

    def close(self) -> None:
        """Close the connections. Leaving the client's ``with`` block does the same."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return self._options.describe(type(self).__name__)

    def _run(self, steps: Steps[T]) -> T:
        """Carry out the steps of a call, and return its result."""
        result: Answer | Fault | None = None
        try:
            while True:
                step = steps.send(result)
                result = None
                try:
                    if isinstance(step, call.steps.Attempt):
                        result = self._transport.open().attempt(step)
                    else:
                        time.sleep(step.seconds)
                except BaseException as error:  # noqa: BLE001 - the steps report the call, and raise the error
                    steps.throw(error)
        except StopIteration as end:
            value: T = end.value
            return value


def _make_transport(server: Server, route: Route | None, http_client: HttpClient | None) -> SyncTransport:
    from .transport.transport import SyncTransport  # noqa: PLC0415 - with the first call, see LazyTransport

    return SyncTransport(server, route, http_client)
