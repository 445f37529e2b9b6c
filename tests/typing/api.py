"""How the public names look to a type checker. Checked by mypy, never run."""

from __future__ import annotations

import datetime as dt
from typing import assert_type

from vtex_tracking_ext import (
    AsyncTrackingClient,
    FeedConfiguration,
    FeedItem,
    OrderPage,
    Package,
    RateLimitedError,
    RetryPolicy,
    TrackingClient,
    TrackingEvent,
    TrackingReceipt,
    TrackingUpdate,
    VtexTrackingError,
)


def synchronous(client: TrackingClient) -> None:
    """Every call, with the kinds of values it takes."""
    event = TrackingEvent(date=dt.date(2015, 6, 23), description="x")
    TrackingEvent(date="2015-06-23", description="x", city="Rio de Janeiro", state="RJ")
    update = TrackingUpdate("1-01", "1", events=(e for e in [event]), is_delivered=True, delivered_date="2015-06-23")
    assert_type(update.events, tuple[TrackingEvent, ...])
    assert_type(client.update("1-01", "1", events=[event]), TrackingReceipt)
    assert_type(client.mark_delivered("1-01", "1", delivered_date=dt.datetime.now(dt.UTC)), TrackingReceipt)
    assert_type(client.send(update), TrackingReceipt)
    assert_type(client.get_packages("1-01"), tuple[Package, ...])
    assert_type(client.was_applied(update), bool | None)
    assert_type(client.read_feed(max_items=10), tuple[FeedItem, ...])
    client.commit_feed(item.handle for item in client.read_feed())
    configuration = FeedConfiguration(["invoiced"], visibility_timeout=240, retention=345_600)
    assert_type(configuration.statuses, frozenset[str])
    assert_type(client.get_feed_configuration(), FeedConfiguration | None)
    assert_type(client.configure_feed(configuration, replaces=client.get_feed_configuration()), FeedConfiguration)
    now = dt.datetime.now(dt.UTC)
    assert_type(client.list_orders(page=1, per_page=100, invoiced=(now, now), status="invoiced"), OrderPage)
    day = dt.date(2015, 6, 23)
    numbered = client.set_tracking_number("1-01", "1", tracking_number="1", dispatched_date=day)
    assert_type(numbered, TrackingReceipt)
    other = client.with_options(timeout=5, retry=RetryPolicy(attempts=1), on_unknown="check")
    assert_type(other, TrackingClient)
    assert_type(other.send(update, timeout=2.5), TrackingReceipt)
    TrackingClient.from_env(account="mystore", timeout=5, on_unknown="resend", log_ids=True)
    TrackingClient.from_env(time_out=5)  # type: ignore[call-arg]
    TrackingClient.from_env(timeout="5")  # type: ignore[arg-type]
    client.with_options(on_unknown="never")  # type: ignore[arg-type]
    with TrackingClient.from_env() as other:
        assert_type(other, TrackingClient)
    try:
        client.send(update)
    except RateLimitedError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.status_code, int)
    except VtexTrackingError as error:
        assert_type(error.applied, bool | None)
        assert_type(error.order_id, str | None)
        assert_type(error.reason, str)
    client.update("1-01", 1, events=[])  # type: ignore[arg-type]
    client.update("1-01", "1", events=[{"date": "2015-06-23"}])  # type: ignore[list-item]
    client.update("1-01", "1")  # type: ignore[call-arg]


async def asynchronous(client: AsyncTrackingClient) -> None:
    """The same names, awaited."""
    assert_type(await client.send(TrackingUpdate("1-01", "1")), TrackingReceipt)
    assert_type(await client.get_packages("1-01"), tuple[Package, ...])
    assert_type(await client.read_feed(), tuple[FeedItem, ...])
    await client.commit_feed(["handle"], timeout=5)
    assert_type(client.with_options(timeout=5), AsyncTrackingClient)
    assert_type(AsyncTrackingClient.from_env(timeout=5), AsyncTrackingClient)
    assert_type(await client.get_feed_configuration(), FeedConfiguration | None)
    assert_type(await client.configure_feed(FeedConfiguration()), FeedConfiguration)
    assert_type(await client.list_orders(), OrderPage)
    async with AsyncTrackingClient("mystore", user_token="x") as other:
        assert_type(other, AsyncTrackingClient)
