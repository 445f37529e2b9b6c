"""For your own tests: a sandbox per test, clients for it, assertions on the events of an order, and faults on demand.

A pytest plugin: with the extra ``testing`` installed, every test can use the fixture ``vtex_sandbox``.

::

    def test_my_webhook_reports_a_delivery(vtex_sandbox):
        vtex_sandbox.add_order("1172452900788-01", ["000030711"])
        my_webhook({"parcel": "..."}, client=vtex_sandbox.client)
        vtex_sandbox.assert_delivered("1172452900788-01", "000030711")

    def test_my_webhook_sends_nothing_twice(vtex_sandbox):
        vtex_sandbox.add_order("1172452900788-01", ["000030711"])
        vtex_sandbox.cut_next()  # the update is applied, and its answer is lost
        my_webhook({"parcel": "..."}, client=vtex_sandbox.client)
        my_webhook({"parcel": "..."}, client=vtex_sandbox.client)  # the carrier repeats it
        vtex_sandbox.assert_no_duplicates()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .client import TrackingClient
    from .client_async import AsyncTrackingClient
    from .errors import Operation
    from .events import DateLike, TrackingEvent
    from .sandbox import Oms, OmsSettings
    from .sandbox.orders import Package


class VtexSandbox:
    """A sandbox for one test.

    Attributes:
        url: Its address, for ``base_url=`` or ``VTEX_BASE_URL``.
        environ: The environment variables that ``TrackingClient.from_env()`` and the command line read.
        client: A client, closed at the end of the test.
        oms: The sandbox's order system, for everything without a method here.
    """

    def __init__(self, oms: Oms, url: str) -> None:
        from .client import TrackingClient  # noqa: PLC0415 - httpx is imported when a test needs it
        from .sandbox.keys import ACCOUNT, APP_KEY, APP_TOKEN, client_environment  # noqa: PLC0415 - an extra

        self.oms = oms
        self.url = url
        self._account = ACCOUNT
        self._credentials: dict[str, Any] = {"app_key": APP_KEY, "app_token": APP_TOKEN}
        self.environ = client_environment(url)
        self.client: TrackingClient = TrackingClient(ACCOUNT, base_url=url, **self._credentials)

    def async_client(self, **options: Any) -> AsyncTrackingClient:
        """Return an asynchronous client; close it, or use it as a context manager, in its own event loop."""
        from .client_async import AsyncTrackingClient  # noqa: PLC0415 - as above

        return AsyncTrackingClient(self._account, **{"base_url": self.url, **self._credentials, **options})

    def add_order(
        self,
        order_id: str,
        invoices: Iterable[str],
        *,
        status: str = "invoiced",
        tracking_number: str | None = "BR000000000BR",
        invoice_keys: Mapping[str, str] | None = None,
    ) -> None:
        """Add an order with one package per invoice; a feed that is configured for its status gets an item.

        Args:
            order_id: The order id.
            invoices: Invoice numbers of the packages.
            status: ``canceled`` makes VTEX refuse updates with 409.
            tracking_number: Tracking number of each package; with None, VTEX accepts no events yet.
            invoice_keys: Invoice number -> key of the invoice, such as the 44 digits of an NF-e.
        """
        self.oms.add_order(
            order_id, invoices, status=status, tracking_number=tracking_number, invoice_keys=invoice_keys
        )

    def change_status(self, order_id: str, status: str) -> None:
        """Change the status of an order, such as to ``canceled``; feeds get an item like those of a new order."""
        self.oms.change_status(order_id, status)

    def notify_hook(self, url: str, order_id: str) -> bool:
        """Post the notification of an order's last status change to an address, as VTEX's hook does.

        Returns:
            Whether the address answered with 200 in five seconds, as VTEX requires.
        """
        from .sandbox import notify  # noqa: PLC0415 - an extra

        return notify(url, self.oms.orders[order_id].change)

    def configure(self, settings: OmsSettings) -> None:
        """Change its behaviour: rate limit, ``Retry-After``, the delay before an event is shown."""
        self.oms.settings = settings

    def fail_next(
        self,
        status: int,
        *,
        after_applying: bool = False,
        times: int | None = 1,
        operation: Operation | None = None,
    ) -> None:
        """Answer the next requests with an error.

        Faults occur in the order in which they were requested, each instead of the usual answer.

        Args:
            status: The status, from 400 to 599.
            after_applying: Whether the request is applied even so, and only its answer is an error. VTEX can have
                applied a request that it answers with 408, or with 5xx except 501; a client raises OutcomeUnknownError.
            times: Number of requests, or None for all until :meth:`reset`.
            operation: The requests of one operation only, by the name of the client's method: ``send`` (of updates and
                deliveries), ``get_packages``, ``set_tracking_number``, ``list_orders`` and so on.

        Raises:
            ValueError: A value is out of range.
        """
        self._add_fault(status=status, after_applying=after_applying, times=times, operation=operation)

    def cut_next(
        self, *, after_applying: bool = True, times: int | None = 1, operation: Operation | None = None
    ) -> None:
        """Close the connections of the next requests without an answer; a client raises OutcomeUnknownError.

        Args:
            after_applying: Whether the request is applied before. A client cannot tell, so test both.
            times: As for :meth:`fail_next`.
            operation: As for :meth:`fail_next`.

        Raises:
            ValueError: A value is out of range.
        """
        self._add_fault(after_applying=after_applying, times=times, operation=operation)

    def slow_next(self, seconds: float = 60.0, *, times: int | None = 1, operation: Operation | None = None) -> None:
        """Apply the next requests at once, and answer late. The wait ends when the client closes its connection.

        Args:
            seconds: The delay, above 0 and at most 3600 seconds. The client's ``timeout`` should be shorter.
            times: As for :meth:`fail_next`.
            operation: As for :meth:`fail_next`.

        Raises:
            ValueError: A value is out of range.
        """
        self._add_fault(delay=seconds, times=times, operation=operation)

    def rate_limit(
        self, retry_after: int | None = 1, *, times: int | None = 1, operation: Operation | None = None
    ) -> None:
        """Refuse the next requests with 429, as VTEX does with calls above an account's limit. Nothing is applied.

        A client waits for the seconds of ``Retry-After`` and sends the request again. :meth:`configure` sets a real
        limit instead, which counts the calls.

        Args:
            retry_after: Seconds in ``Retry-After``; None: there is no such header, and a client waits for the
                ``rate_limit_wait`` of its RetryPolicy. VTEX documents a minute, and no header.
            times: As for :meth:`fail_next`.
            operation: As for :meth:`fail_next`.

        Raises:
            ValueError: A value is out of range.
        """
        self._add_fault(status=429, retry_after=retry_after, times=times, operation=operation)

    def reset(self) -> None:
        """Return to the start of the test: no orders, no requests, no feeds, no faults, and the first settings."""
        self.oms.reset()

    def events(self, order_id: str, invoice_number: str) -> list[TrackingEvent]:
        """Return the events that a package received, oldest first, including those not shown yet.

        Raises:
            AssertionError: There is no such order or invoice; the message lists the existing ones.
        """
        from .events import TrackingEvent  # noqa: PLC0415 - as above

        self._package(order_id, invoice_number)
        return [TrackingEvent(**event) for event in self.oms.applied(order_id, invoice_number)]

    def assert_events(self, order_id: str, invoice_number: str, expected: Iterable[TrackingEvent]) -> None:
        """Fail unless a package received exactly these events, each once, in this order."""
        from attrs import evolve  # noqa: PLC0415 - as above

        from .call.validation import format_event_date  # noqa: PLC0415 - as above

        wanted = [evolve(event, date=format_event_date(event.date)) for event in expected]
        assert self.events(order_id, invoice_number) == wanted

    def assert_no_duplicates(self) -> None:
        """Fail if a package of any order received an event twice: the same day and the same texts.

        The shopper sees such an event twice, because VTEX adds the events of each call.
        """
        from .sandbox.orders import duplicates  # noqa: PLC0415 - an extra

        found = []
        for order_id, order in self.oms.orders.items():
            for invoice_number in order.packages:
                events = self.oms.applied(order_id, invoice_number)
                found += [
                    f"invoice {invoice_number} of order {order_id}: {event['date']} {event['description']}"
                    for event, is_duplicate in zip(events, duplicates(events), strict=True)
                    if is_duplicate
                ]
        assert not found, f"events that the shopper sees twice: {'; '.join(found)}"

    def assert_delivered(self, order_id: str, invoice_number: str, delivered_date: DateLike | None = None) -> None:
        """Fail unless a package was reported as delivered, on the given date if there is one.

        Args:
            order_id: Id of the order.
            invoice_number: Invoice number of the package.
            delivered_date: ``yyyy-mm-dd`` or a date compares only the day, ``yyyy-mm-dd hh:mm`` or a datetime also
                the minute.
        """
        from .call.validation import format_delivered_date  # noqa: PLC0415 - as above

        changes = [change for change in self._package(order_id, invoice_number).changes if change.delivered]
        where = f"invoice {invoice_number} of order {order_id}"
        assert changes, f"{where} was not reported as delivered"
        if delivered_date is not None:
            dates = [change.delivered_date for change in changes if change.delivered_date is not None]
            actual = dates[-1] if dates else "without a date"
            wanted = format_delivered_date(delivered_date)
            compared = actual[: len(wanted)] if len(wanted) == len("yyyy-mm-dd") else actual
            assert compared == wanted, f"{where} was delivered {actual}, not {wanted or delivered_date}"

    def _add_fault(self, **values: Any) -> None:
        from .sandbox.faults import Fault  # noqa: PLC0415 - an extra

        self.oms.faults.add(Fault(**values))

    def _package(self, order_id: str, invoice_number: str) -> Package:
        orders = self.oms.orders
        assert order_id in orders, f"no order {order_id} in the sandbox; {_existing(orders)}"
        packages = orders[order_id].packages
        assert invoice_number in packages, f"no invoice {invoice_number} on order {order_id}; {_existing(packages)}"
        return packages[invoice_number]


def _existing(things: Mapping[str, object]) -> str:
    return f"existing: {', '.join(things) or 'none'}"


@pytest.fixture
def vtex_sandbox() -> Iterator[VtexSandbox]:
    """A sandbox without orders, on a free port of the loopback interface."""
    try:
        from .sandbox import Oms, running  # noqa: PLC0415 - an extra
    except ImportError as error:
        pytest.fail(f"vtex_sandbox needs an extra ({error.name} is missing): pip install 'vtex-tracking[testing]'")
    oms = Oms()
    with running(oms) as url:
        sandbox = VtexSandbox(oms, url)
        with sandbox.client:
            yield sandbox
