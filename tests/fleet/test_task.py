"""The name of a queue, and the app."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from procrastinate.manager import get_channel_for_queues

from vtex_tracking_ext.bulk.journal.postgres import parse_url
from vtex_tracking_ext.fleet.task import make_app, queue_name

from support.fleets import execute, fill, opened

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal

#: What PostgreSQL takes for the name of a channel, in bytes.
CHANNEL = 63


@pytest.mark.parametrize("account", ["mystore", "a" * 40, "mystore@127.0.0.1:8000", "\u00e7" * 20])
def test_a_queue_has_the_name_of_its_account(account: str) -> None:
    """A name within the limit is used as it is."""
    assert queue_name(account) == account


@pytest.mark.parametrize("account", ["a" * 41, "\u00e7" * 21, "mystore@" + "b" * 300])
def test_a_long_name_becomes_a_digest(account: str) -> None:
    """Its channel fits, and other accounts have other queues."""
    name = queue_name(account)
    (channel,) = get_channel_for_queues([name])
    assert len(channel.encode()) <= CHANNEL
    assert name != queue_name(account + "x")


def test_the_app_runs_the_task(journal: PostgresJournal) -> None:
    """It passes the account to the function that delivers."""
    fill(journal, 1)
    delivered: list[str] = []

    async def deliver(account: str) -> None:
        delivered.append(account)

    async def run() -> None:
        app = make_app(journal.address, deliver)
        async with app.open_async():
            await app.run_worker_async(queues=["mystore"], wait=False, delete_jobs="always")

    asyncio.run(run())
    assert delivered == ["mystore"]
    assert execute(journal, "SELECT count(*) FROM procrastinate_jobs") == [(0,)]


def test_sessions_have_the_journals_settings(journal_url: str) -> None:
    """The address's other options are kept, and times are read as ISO whatever its DateStyle."""
    with opened(journal_url):
        pass
    address = parse_url(f"{journal_url}&options=-c%20work_mem%3D12MB%20-c%20DateStyle%3DGerman")

    async def ask() -> dict[str, Any]:
        app = make_app(address, _nothing)
        async with app.open_async():
            settings = "SELECT current_setting('work_mem') AS memory, current_schema() AS schema, now() AS time"
            return await app.connector.execute_query_one_async(settings)

    answer = asyncio.run(ask())
    assert (answer["memory"], answer["schema"]) == ("12MB", address.schema)
    assert answer["time"].utcoffset() is not None


async def _nothing(_: str) -> None:
    """Do nothing."""
