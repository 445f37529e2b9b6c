"""The measurement behind ``scripts/service_bench``: posts to the service, and what its journal has of them."""

from __future__ import annotations

import datetime as dt
import hmac
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
from attrs import field, frozen

from vtex_tracking_ext.bulk.journal.account_name import account_name_at
from vtex_tracking_ext.bulk.journal.opening import open_journal, open_reader
from vtex_tracking_ext.orders import OrderPackage, OrderStore
from vtex_tracking_ext.orders.parked import parked_events
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

from .cpu_affinity import pinned_to
from .post_load import Post, send
from .samples import percentile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from vtex_tracking_ext.bulk.journal.interface import JournalReader

    from .post_load import Answer

#: The latency that 99 % of the posts may have, in milliseconds.
TARGET: Final = 100

#: Key with which the posts are signed, and the service's.
SECRET: Final = "whsec_0123456789abcdef"  # noqa: S105 - made up
SERVICE_SECRET: Final = SECRET

#: Where VTEX would be called. Nothing is: the posts echo no order that could be read, and nothing is delivered.
_VTEX: Final = "http://127.0.0.1:9"
_ACCOUNT: Final = "mystore"

#: The history in each post.
_DETAILS: Final = (
    ("pre_transit", "label_created", "Shipping label created", None, None),
    ("in_transit", "arrived_at_facility", "Arrived at regional facility", "CAMPINAS", "SP"),
    ("in_transit", "departed_facility", "Departed regional facility", "RECIFE", "PE"),
    ("out_for_delivery", "out_for_delivery", "Out for delivery", "OLINDA", "PE"),
)

#: Share of the posts that are repetitions of earlier ones.
_REPEATED: Final = 0.1

#: Seconds that a server has to start, to note all events after the last post, and to stop.
_PATIENCE: Final = 60.0

_TICKS: Final = os.sysconf("SC_CLK_TCK")


@frozen
class Webhook:
    """A post of a carrier.

    Attributes:
        package: The number of its package.
        post: The post.
    """

    package: int
    post: Post


@frozen
class Run:
    """A run of posts, with its results.

    Attributes:
        webhooks: The posts.
        answers: Their answers.
        noted: How often the journal, or the table of the bare application, has each event.
        expected: How often it should have each.
        cpu_seconds: CPU time of the server while posts were sent and answered.
        remark: What else is to be said.
    """

    webhooks: Sequence[Webhook]
    answers: Sequence[Answer]
    noted: Counter[str]
    expected: Counter[str]
    cpu_seconds: float
    remark: str = field(default="")

    def problems(self) -> list[str]:
        """Return what was refused, lost or noted more than once."""
        statuses = Counter(answer.status for answer in self.answers if answer.status != 200)  # noqa: PLR2004 - HTTP's
        problems = [f"{number} posts answered with {status}" for status, number in sorted(statuses.items()) if status]
        missing = (self.expected - self.noted).total()
        # A post that was not answered with 200 may have been noted all the same, but each event once.
        repeated = sum(
            number - max(1, self.expected[event])
            for event, number in self.noted.items()
            if number > self.expected[event]
        )
        return [
            *problems,
            *([f"{statuses[0]} posts without an answer"] if statuses[0] else []),
            *([f"{missing} events are missing"] if missing else []),
            *([f"{repeated} events are there more than once"] if repeated else []),
        ]

    def text(self) -> str:
        """Return the latencies and the counts."""
        times = [answer.seconds * 1000 for answer in self.answers]
        shares = ", ".join(f"p{share:.0f} {percentile(times, share / 100):.1f}" for share in (50, 95, 99))
        answered = [answer.at for answer in self.answers if answer.status]
        rate = len(answered) / max(answered, default=1.0)
        failed = sum(answer.status != 200 for answer in self.answers)  # noqa: PLR2004 - HTTP's
        return (
            f"{shares}, max {max(times):.1f} ms (target: p99 {TARGET}); {rate:.0f} answers a second, {failed} not 200; "
            f"{self.cpu_seconds / len(times) * 1000:.2f} ms of CPU each; {self.noted.total()} noted{self.remark}"
        )


class ServiceBench:
    """Runs the parts.

    Args:
        arguments: The command line.
        core: The processor of the servers, or None if they cannot be pinned.
    """

    def __init__(self, arguments: argparse.Namespace, core: int | None) -> None:
        self.arguments = arguments
        self.core = core
        self.webhooks = make_webhooks(arguments.rate, arguments.seconds, arguments.seed)

    def run(self, part: str, name: str, location: str) -> int:
        """Run a part, print the results, and return the exit status."""
        run = self._run_bare(location) if part == "bare" else self._run_service(location, is_known=part == "known")
        label = {"bare": "bare", "known": "service, orders known", "unknown": "service, orders unknown"}[part]
        print(f"{label + ', ' + name:36} {len(self.webhooks)} posts: {run.text()}")
        problems = run.problems()
        print("\n".join(f"  WRONG: {problem}" for problem in problems), end="\n" if problems else "", flush=True)
        return 1 if problems else 0

    def _run_bare(self, location: str) -> Run:
        with serving(["-m", "measure.bare_service"], location, self.core) as (url, process):
            answers, cpu_seconds = self._send(url, process)
        number = sum(answer.status == 200 for answer in answers)  # noqa: PLR2004 - HTTP's
        return Run(self.webhooks, answers, Counter(row=_count_rows(location)), Counter(row=number), cpu_seconds)

    def _run_service(self, location: str, *, is_known: bool) -> Run:
        account = account_name_at(_ACCOUNT, _VTEX)
        with open_journal(location) as journal:
            if is_known:
                packages = sorted({each.package for each in self.webhooks})
                OrderStore(journal, account).save(
                    OrderPackage(f"{package}-01", str(package), tracking_number=tracking_code(package))
                    for package in packages
                )
        command = ["-m", "vtex_tracking_ext", "serve", "--no-deliver", "--listen", "127.0.0.1:0"]
        command += ["--max-posts", str(2 * self.arguments.rate)]
        remark = ""
        with serving(command, location, self.core) as (url, process):
            answers, cpu_seconds = self._send(url, process)
            if is_known:
                remark = f", the last {_wait_until_noted(location):.1f} s after the last answer"
        with open_reader(location) as journal:
            noted = noted_events(journal)
        expected = {
            event: 1
            for webhook, answer in zip(self.webhooks, answers, strict=True)
            if answer.status == 200  # noqa: PLR2004 - HTTP's
            for event in event_ids(webhook.package)
        }
        return Run(self.webhooks, answers, noted, Counter(expected), cpu_seconds, remark)

    def _send(self, url: str, process: subprocess.Popen[str]) -> tuple[list[Answer], float]:
        """Send the posts; return the answers, and the CPU time of the server."""
        before = _cpu_seconds(process.pid)
        answers = send(url, [each.post for each in self.webhooks], self.arguments.connections)
        return answers, _cpu_seconds(process.pid) - before


def make_webhooks(rate: int, seconds: int, seed: int) -> list[Webhook]:
    """Return posts that are sent at random moments, as by senders that do not know of each other."""
    choose = random.Random(seed)  # noqa: S311 - reproducible
    moments = sorted(choose.uniform(0, seconds) for _ in range(rate * seconds))
    packages: list[int] = []
    for number in range(len(moments)):
        is_repeated = packages and choose.random() < _REPEATED
        packages.append(choose.choice(packages) if is_repeated else number)
    return [Webhook(package, Post(moment, request(package))) for moment, package in zip(moments, packages, strict=True)]


def tracking_code(package: int) -> str:
    """Return the tracking number of a package."""
    return f"9400100000{package:012}"


def event_ids(package: int) -> list[str]:
    """Return the ids of the events in the post about a package, as the journal stores them."""
    code = tracking_code(package)
    details = enumerate(_DETAILS)
    return [f"easypost|{code}|{status}|{_moment(number).isoformat()}" for number, (status, *_) in details]


def request(package: int) -> bytes:
    """Return the request with the history of a package."""
    details = [
        {
            "object": "TrackingDetail",
            "message": message,
            "status": status,
            "status_detail": detail,
            "datetime": f"{_moment(number):%Y-%m-%dT%H:%M:%SZ}",
            "source": "USPS",
            "carrier_code": "",
            "tracking_location": {
                "object": "TrackingLocation",
                "city": city,
                "state": state,
                "country": city and "BR",
                "zip": None,
            },
        }
        for number, (status, detail, message, city, state) in enumerate(_DETAILS)
    ]
    tracker = {
        "id": f"trk_{package:032x}",
        "object": "Tracker",
        "mode": "production",
        "tracking_code": tracking_code(package),
        "status": _DETAILS[-1][0],
        "status_detail": _DETAILS[-1][1],
        "signed_by": None,
        "weight": None,
        "est_delivery_date": "2026-11-28T00:00:00Z",
        "shipment_id": f"shp_{package:032x}",
        "carrier": "USPS",
        "finalized": False,
        "is_return": False,
        "public_url": f"https://track.easypost.com/{package:032x}",
        "tracking_details": details,
        "carrier_detail": None,
        "fees": [],
    }
    event = {
        "id": f"evt_{package:032x}",
        "object": "Event",
        "mode": "production",
        "description": "tracker.updated",
        "previous_attributes": {"status": "in_transit"},
        "pending_urls": [],
        "completed_urls": [],
        "status": "pending",
        "result": tracker,
    }
    body = json.dumps(event).encode()
    signature = hmac.digest(SECRET.encode(), body, "sha256").hex()
    head = (
        f"POST /carriers/easypost/{_ACCOUNT} HTTP/1.1\r\nHost: hooks.example.com\r\nUser-Agent: EasyPost Webhook\r\n"
        "Accept: */*\r\nContent-Type: application/json\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
        f"X-Hmac-Signature: hmac-sha256-hex={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def noted_events(journal: JournalReader) -> Counter[str]:
    """Return how often the journal has each event, parked or as an entry."""
    noted = Counter(entry.event_id for entry in journal.entries())
    noted.update(parked.event.event_id for parked in parked_events(journal))
    return noted


@contextmanager
def serving(command: Sequence[str], location: str, core: int | None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a server in a process of its own; yield its address and the process. It is stopped after the block."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("VTEX_")},
        "VTEX_ACCOUNT": _ACCOUNT,
        "VTEX_APP_KEY": APP_KEY,
        "VTEX_APP_TOKEN": APP_TOKEN,
        "VTEX_BASE_URL": _VTEX,
        "VTEX_JOURNAL": location,
        "VTEX_WEBHOOK_SECRET_EASYPOST": SERVICE_SECRET,
    }
    with tempfile.TemporaryFile("w+") as log:
        with pinned_to(core):
            process = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                cwd=Path(__file__).parents[1],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        with process:
            assert process.stdout is not None  # noqa: S101 - for the types
            found = re.search(r"http://[0-9.:]+", process.stdout.readline())
            try:
                if not found:
                    log.seek(0)
                    raise SystemExit(f"The server did not start: {log.read()}")
                yield found[0].rstrip("."), process
            finally:
                process.terminate()
                process.wait(_PATIENCE)


def _moment(number: int) -> dt.datetime:
    return dt.datetime(2026, 9, 14, 9, 30, tzinfo=dt.UTC) + number * dt.timedelta(hours=7, minutes=11)


def _wait_until_noted(location: str) -> float:
    """Wait until no event is parked, and return after how many seconds that was."""
    began = time.monotonic()
    with open_reader(location) as journal:
        while any(journal.pages("parked")) and time.monotonic() < began + _PATIENCE:
            time.sleep(0.1)
    return time.monotonic() - began


def _count_rows(location: str) -> int:
    """Return the rows that the bare application wrote."""
    statement = "SELECT count(*) FROM posts"
    if location.startswith("postgresql:"):
        with psycopg.connect(location) as connection:
            return int(connection.execute(statement).fetchall()[0][0])
    with closing(sqlite3.connect(location)) as file:
        return int(file.execute(statement).fetchone()[0])


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    numbers = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / _TICKS
