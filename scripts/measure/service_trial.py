"""The trial behind ``scripts/service_trial``, and behind its short version in the tests.

Webhooks and notifications are posted to the service in random order, by clients that repeat each post until it is
answered with 200, as carriers and VTEX do. Meanwhile its processes are killed.

What can be asserted of the order of events: one that arrives after a later one was sent cannot be put before it. The
webhooks of EasyPost, AfterShip and Melhor Envio contain the history so far, so they are posted in any order. Those of
Intelipost contain one event each. The first copy of each is answered before that of the next one is posted, as by a
sender that waits for its answers; the other copies come at any time after that. So the events of each package must be
on its order by their time, whatever is killed.
"""

from __future__ import annotations

import datetime as dt
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlsplit

from attrs import Factory, define, field, frozen

from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.opening import open_journal, open_reader
from vtex_tracking_ext.orders.parked import parked_counts, parked_naming
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, OmsError, configure_hook, notify, running

from .service_carriers import CODES, Parcel, make_key, make_steps, signed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from vtex_tracking_ext.sandbox.orders import Change

    from support.postgres import Server

#: Posts something.
Task: TypeAlias = "Callable[[], None]"

#: The account that receives everything, and another one, whose secrets prove nothing to the first.
ACCOUNT: Final = "sandbox"
OTHER_ACCOUNT: Final = "otherstore"

#: How often each webhook is posted, apart from repetitions of those that are not answered with 200.
COPIES: Final = 5

#: Seconds until something must have happened that takes a few seconds on an idle machine.
PATIENCE: Final = 300.0

#: Seconds of posting for each order. The service reads five orders a second, so that orders become known all the time.
_SECONDS_FOR_AN_ORDER: Final = 0.25

#: Clients that post at the same time.
_CLIENTS: Final = 6

#: Seconds that a client waits before it repeats a post: the first time, and at most.
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0

#: Seconds in which a post must be answered. VTEX waits for five.
_ANSWER_SECONDS: Final = 5.0

#: Seconds that a kill waits for the next update. There may be none, because everything was sent.
_NEXT_UPDATE: Final = 3.0

#: Seconds after which an unknown event is resolved by hand. The sandbox applies updates at once.
_DOUBTFUL_SECONDS: Final = 10.0

#: One order in so many has two packages, has a return, or has the invoice number of the order before.
_PAIRS: Final = 3
_RETURNS: Final = 5
_SHARED: Final = 4

#: Occurs in the identifiers of all posts that must leave no trace.
_FORGED: Final = "999999999"

_HOOK_HEADER: Final = "X-Webhook-Secret"

_OK: Final = 200
_REFUSALS: Final = frozenset({401, 403, 404})


def _secret(account: str, source: str) -> str:
    return f"{account}-{source}-0123456789"


@define
class WatchedOms(Oms):
    """A sandbox that can call a function at an update.

    Attributes:
        reads: How often each order was read.
        updates: How many updates were applied.
        strike: What to do at the next update, and whether after it is applied; or None.
    """

    reads: Counter[str] = Factory(Counter)
    updates: int = 0
    strike: tuple[Callable[[], object], bool] | None = None

    def get_order(self, order_id: str) -> dict[str, Any]:
        """Return an order, and count that."""
        self.reads[order_id] += 1
        return super().get_order(order_id)

    def update_tracking_status(self, order_id: str, invoice_number: str, body: Mapping[str, Any]) -> dict[str, str]:
        """Apply an update."""
        strike, self.strike = self.strike, None
        if strike and not strike[1]:
            strike[0]()
        receipt = super().update_tracking_status(order_id, invoice_number, body)
        self.updates += 1
        if strike and strike[1]:
            strike[0]()
        return receipt


class Process:
    """A process of the service that can be killed and started again.

    Args:
        arguments: The arguments of Python.
        environ: Its environment variables, beside those of this process.
        log: Where its output is written.
        ready: What it prints when it is ready.

    Attributes:
        url: The address that it printed.
        kills: How often it was killed.
    """

    def __init__(self, arguments: list[str], environ: Mapping[str, str], log: Path, ready: str) -> None:
        self.url = ""
        self.kills = 0
        self._arguments = arguments
        own = {name: value for name, value in os.environ.items() if not name.startswith("VTEX_")}
        self._environ = {**own, **environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
        self._log = log
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it is ready."""
        with self._log.open("ab") as log:
            start = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments], stdout=log, stderr=log, env=self._environ, cwd=self._log.parent
            )
        end = time.monotonic() + PATIENCE
        pattern = re.compile(rf"{re.escape(self._ready)}(\S+)\s")  # with what follows, so that the address is complete
        while not (ready := pattern.search(printed := self._log.read_bytes()[start:].decode())):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self._arguments} is not ready: {printed[-2000:]}")
            time.sleep(0.02)
        self.url = ready[1].rstrip(".,")

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        assert self._process is not None  # noqa: S101 - it was started
        self._process.kill()
        self._process.wait()
        self.kills += 1

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal, if it runs, and return its exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        return self._process.wait(PATIENCE)


@frozen
class Post:
    """A request to the service.

    Attributes:
        path: Its path.
        headers: Its headers, in pairs because one may be repeated.
        body: Its body.
    """

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def webhook(source: str, body: bytes, *, secret: str = "", account: str = ACCOUNT, signed_body: bytes = b"") -> Post:
    """Return the post of a webhook, by default a genuine one.

    Args:
        source: The source.
        body: The body.
        secret: The secret with which it is signed.
        account: The account in the address.
        signed_body: The body that is signed, if it is another one.
    """
    headers = signed(source, secret or _secret(account, source), signed_body or body)
    return Post(f"/carriers/{source}/{account}", (*headers.items(), ("Content-Type", "application/json")), body)


@define(eq=False)
class Lane:
    """The webhooks of a package, in the order in which they are posted.

    Attributes:
        posts: What is still to be posted.
        lock: Held during a post if the next one has to wait for its answer.
    """

    posts: deque[Post]
    lock: threading.Lock | None = None


@define(eq=False)
class Orders:
    """The orders of a trial.

    Attributes:
        parcels: Their packages.
        late: Those of them whose invoices are added during the trial.
    """

    parcels: list[Parcel] = field(factory=list)
    late: list[Parcel] = field(factory=list)


def make_orders(oms: Oms, number: int, choose: random.Random) -> Orders:
    """Add orders to a sandbox.

    Some have two packages, of which the second may be invoiced later. Some have a return, and some have the invoice
    number of the order before, in another series.
    """
    orders = Orders()
    sources = [*CODES]
    codes = iter(f"QB{each:09}BR" for each in range(4 * number))
    for index in range(number):
        order_id = f"{1263300000000 + index}-01"
        oms.add_order(order_id, [])
        has_two, has_return = index % _PAIRS == 1, index % _RETURNS == 1
        for place in range(2 if has_two else 1):
            is_late = place == 1 and index % 2 == 0
            # A late package must not be taken for the first one, so its webhooks name it, and not only its order.
            source = choose.choice(["easypost", "intelipost"]) if is_late else sources[(index + place) % len(sources)]
            parcel = _make_parcel(source, order_id, index, place, next(codes), choose)
            orders.parcels.append(parcel)
            if is_late:
                orders.late.append(parcel)
            else:
                add_invoice(oms, parcel)
        if has_return:
            parcel = _make_parcel("aftership", order_id, index, 2, next(codes), choose, is_return=True)
            orders.parcels.append(parcel)
            add_invoice(oms, parcel)
    return orders


def add_invoice(oms: Oms, parcel: Parcel) -> None:
    """Add a package to its order."""
    oms.add_invoice(
        parcel.order_id, parcel.invoice, tracking_number=parcel.code, courier=None, invoice_key=parcel.nfe_key
    )
    package = oms.orders[parcel.order_id].packages[parcel.invoice]
    package.type = "Input" if parcel.is_return else "Output"


def _make_parcel(
    source: str,
    order_id: str,
    index: int,
    place: int,
    code: str,
    choose: random.Random,
    *,
    is_return: bool = False,
) -> Parcel:
    shares_number = place == 0 and index % _SHARED == 1
    number = 40_000 + 10 * (index - shares_number) + place
    series = "2" if shares_number else "1"
    return Parcel(
        source,
        order_id,
        f"{number:09}",
        series,
        make_key("99999999000191", series, number),
        code,
        # One that names neither order nor invoice can be found by its tracking number only.
        names_order=is_return or choose.random() < 1 / 2,
        is_return=is_return,
        steps=make_steps(source, code, choose),
    )


class ServiceTrial:
    """A trial with one journal.

    Args:
        arguments: The command line.
        folder: For the files of the trial, and the logs of its processes.
        location: The journal.
        server: The journal's database, which is killed, too; or None if it is in a file.
    """

    def __init__(self, arguments: argparse.Namespace, folder: Path, location: str, server: Server | None) -> None:
        self.arguments = arguments
        self.folder = folder
        self.location = location
        self.server = server
        self.random = random.Random(arguments.seed)  # noqa: S311 - reproducible
        self.violations: list[str] = []
        self.answers: Counter[object] = Counter()
        self.resolved = self.restarts = 0
        self.oms = WatchedOms()
        self.orders = make_orders(self.oms, arguments.orders, self.random)
        self.genuine = {
            parcel.code: [webhook(parcel.source, body) for body in parcel.bodies()] for parcel in self.orders.parcels
        }
        self._lock = threading.Lock()
        #: Held until what was killed runs again: no process can start while the database does not run.
        self._killing = threading.Lock()

    def run(self, name: str) -> int:
        """Run the trial, print the result, and return the exit status."""
        began = time.monotonic()
        open_journal(self.location).close()
        with ExitStack() as stack:
            self._start(stack)
            self._check_hook()
            posted = self._post_everything()
            self._settle()
            self._check_orders()
            self._replay()
            for process in self.processes:
                if status := process.end():
                    self.violations.append(f"a process ended with {status} after SIGTERM")
        kills = ", ".join(f"{process.kills} of {name}" for name, process in self._named.items())
        answers = ", ".join(f"{number} x {answer}" for answer, number in sorted(self.answers.items(), key=str))
        print(
            f"journal in {name}: {len(self.oms.orders)} orders, {len(self.orders.parcels)} packages, {posted} posts; "
            f"answers: {answers}; kills: {kills}, {self.restarts} of the database; {self.resolved} unknown outcomes "
            f"resolved by hand; {self.oms.updates} updates, {self.oms.reads.total()} orders read; "
            f"{time.monotonic() - began:.0f} s"
        )
        print("\n".join(f"  VIOLATED: {text}" for text in self.violations) or "  every promise was kept", flush=True)
        return 1 if self.violations else 0

    @property
    def processes(self) -> list[Process]:
        """The processes of the trial."""
        return [*self._named.values()]

    def _start(self, stack: ExitStack) -> None:
        url = stack.enter_context(running(self.oms))
        self.account = f"{ACCOUNT}@{urlsplit(url).netloc}"
        profiles = self.folder / "profiles.toml"
        profiles.write_text("\n".join(self._profiles(url)), encoding="utf-8")
        profiles.chmod(0o600)
        environ = {"VTEX_PROFILES": str(profiles), "VTEX_JOURNAL": self.location}
        serve = ["-m", "vtex_tracking_ext", "serve", "--listen", "127.0.0.1:0"]
        serve += ["--no-deliver"] if self.server else []
        self.service = Process(serve, environ, self.folder / "service.log", "Serving at ")
        self._named = {"the service": self.service}
        if self.server:
            worker = ["-m", "measure.service_worker"]
            self._named["the worker"] = Process(worker, environ, self.folder / "worker.log", "Serving ")
        for process in self.processes:
            stack.callback(process.end, signal.SIGKILL)
            process.start()

    def _profiles(self, url: str) -> Iterator[str]:
        for account in (ACCOUNT, OTHER_ACCOUNT):
            yield f'[{account}]\nbase_url = "{url}"\napp_key = "{APP_KEY}"\napp_token = "{APP_TOKEN}"'
            yield f"[{account}.webhooks]"
            for source in (*CODES, "vtex"):
                yield f'{source} = "{_secret(account, source)}"'

    def _check_hook(self) -> None:
        """Configure the hook as VTEX does: its ping must be answered."""
        try:
            configure_hook(f"{self.service.url}/vtex/hook/{ACCOUNT}", {_HOOK_HEADER: _secret(ACCOUNT, "vtex")})
        except OmsError as error:
            self.violations.append(f"the hook cannot be configured: {error}")

    def _post_everything(self) -> int:
        """Post webhooks, notifications and forged posts in random order, kill processes, and return how many."""
        lanes = map(self._lane, self.orders.parcels)
        tasks: list[Task] = [partial(self._post_next, lane) for lane in lanes for _ in lane.posts]
        tasks += [partial(self._notify, order_id) for order_id in self.oms.orders]
        tasks += [partial(self._add_late, parcel) for parcel in self.orders.late]
        tasks += [partial(self._post_forged, what, post) for what, post in self._forged()]
        self.random.shuffle(tasks)
        for at, kill in self._kills(len(tasks)):
            tasks[at] = partial(kill, tasks[at])
        started: list[Future[None]] = []
        with ThreadPoolExecutor(_CLIENTS) as clients:
            for task in tasks:
                started.append(clients.submit(task))
                time.sleep(len(self.oms.orders) * _SECONDS_FOR_AN_ORDER / len(tasks))
            for each in started:
                each.result()
        return len(tasks)

    def _lane(self, parcel: Parcel) -> Lane:
        posts = self.genuine[parcel.code]
        order = [number for number in range(len(posts)) for _ in range(COPIES)]
        self.random.shuffle(order)
        if parcel.source != "intelipost":
            return Lane(deque(posts[number] for number in order))
        in_order = {number: place for place, number in enumerate(dict.fromkeys(order))}
        return Lane(deque(posts[in_order[number]] for number in order), threading.Lock())

    def _kills(self, tasks: int) -> Iterator[tuple[int, Callable[[Task], None]]]:
        """Yield the kills, the processes in turn, each with the number of the task at which it happens."""
        actions = [self._kill_service, *([self._kill_worker, self._kill_database] if self.server else [])]
        for number, at in enumerate(sorted(self.random.sample(range(tasks), self.arguments.kills))):
            yield at, actions[number % len(actions)]

    def _post_next(self, lane: Lane) -> None:
        """Post the next webhook of a package, again until it is accepted."""
        if lane.lock is None:
            self._post(lane.posts.popleft())
        else:
            with lane.lock:
                self._post(lane.posts.popleft())

    def _post(self, post: Post) -> None:
        answers = self._answers(post)
        if answers[-1] != _OK:
            self.violations.append(f"a genuine post to {post.path} was answered with {answers[-1]}")

    def _post_forged(self, what: str, post: Post) -> None:
        """Post what must be refused."""
        answers = self._answers(post)
        if answers[-1] not in _REFUSALS:
            self.violations.append(f"{what} was answered with {answers[-1]}")

    def _answers(self, post: Post) -> list[int]:
        """Post until the answer is neither 503 nor missing, and return all answers, 0 for a missing one."""
        answers: list[int] = []
        pause, end = _FIRST_PAUSE, time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answers.append(self._answer(post))
            with self._lock:
                self.answers[answers[-1] or "none"] += 1
            if answers[-1] not in {0, 503}:
                break
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return answers

    def _answer(self, post: Post) -> int:
        """Post once, and return the status of the answer, or 0 if no answer came."""
        connection = http.client.HTTPConnection(urlsplit(self.service.url).netloc, timeout=_ANSWER_SECONDS)
        try:
            connection.putrequest("POST", post.path)
            for name, value in post.headers:
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(post.body)))
            connection.endheaders(post.body)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def _notify(self, order_id: str) -> None:
        """Post the notification of an order, again until it is answered with 200, as VTEX does."""
        pause, end = _FIRST_PAUSE, time.monotonic() + PATIENCE
        headers = {_HOOK_HEADER: _secret(ACCOUNT, "vtex")}
        while not notify(f"{self.service.url}/vtex/hook/{ACCOUNT}", self.oms.orders[order_id].change, headers):
            if time.monotonic() > end:
                self.violations.append(f"the notification of order {order_id} was not accepted")
                return
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _add_late(self, parcel: Parcel) -> None:
        """Add the second invoice of an order, and post the notification of that."""
        add_invoice(self.oms, parcel)
        self._notify(parcel.order_id)

    def _kill_service(self, task: Task) -> None:
        """Kill the service while a task posts to it, or while it sends, and start it again."""
        if self.server is None:
            self._kill_at_update(self.service, task)
            return
        with self._killing, ThreadPoolExecutor(1) as client:
            posted = client.submit(task)
            time.sleep(self.random.random() / 200)  # perhaps the post is stored by then, and not answered yet
            self.service.kill()
            self.service.start()
            posted.result()

    def _kill_worker(self, task: Task) -> None:
        """Kill the worker while it sends, and start another one."""
        self._kill_at_update(self._named["the worker"], task)

    def _kill_database(self, task: Task) -> None:
        """End the database at once while a task posts, as a crash of PostgreSQL does, and start it again."""
        assert self.server is not None  # noqa: S101 - only then it is called
        with self._killing, ThreadPoolExecutor(1) as client:
            posted = client.submit(task)
            self.server._end("QUIT")  # noqa: SLF001 - an "immediate" shutdown: sessions end, and nothing is written
            self.restarts += 1
            self.server.start()
            posted.result()

    def _kill_at_update(self, process: Process, task: Task) -> None:
        """Kill a process before or after its next update is applied. If no update comes, kill it after some seconds."""
        lock, is_struck = threading.Lock(), threading.Event()

        def strike() -> None:
            with lock:
                if not is_struck.is_set():
                    process.kill()
                    is_struck.set()

        with self._killing:
            self.oms.strike = strike, self.random.random() < 1 / 2
            task()
            is_struck.wait(_NEXT_UPDATE)
            strike()
            process.start()

    def _forged(self) -> Iterator[tuple[str, Post]]:
        """Yield posts that must be refused, with what they are."""
        for source in CODES:
            parcel = next(each for each in self.orders.parcels if each.source == source)
            genuine = parcel.bodies()[0]
            # Another package, and another event of the package: as if a post that was read were changed.
            moved = genuine.replace(parcel.code.encode(), f"QB{_FORGED}BR".encode())
            delivered = genuine.replace(parcel.steps[0].code.encode(), parcel.steps[-1].code.encode())
            delivered = delivered.replace(f"{parcel.steps[0].time:%Y-%m-%d}".encode(), b"2026-07-01")
            foreign = _secret(OTHER_ACCOUNT, source)
            for what, body in (("its own body", genuine), ("a new body", moved), ("a false delivery", delivered)):
                yield f"{source}, {what} with a wrong secret", webhook(source, body, secret="wrong-0123456789")  # noqa: S106 - as said
                yield f"{source}, {what} with the secret of another account", webhook(source, body, secret=foreign)
            if source != "intelipost":  # which does not sign
                for what, body in (("moved", moved), ("with a false delivery", delivered)):
                    yield f"{source}, a replayed post, {what}", webhook(source, body, signed_body=genuine)
            path = f"/carriers/{source}/{ACCOUNT}"
            yield f"{source} without a signature", Post(path, (), moved)
            yield f"{source} with the secret in the path", Post(f"{path}/{_secret(ACCOUNT, source)}", (), moved)
            header = ((_HOOK_HEADER, _secret(ACCOUNT, source)),)
            yield f"{source} with the secret in a header", Post(path, header, moved)
            right = webhook(source, moved)
            yield f"{source}, signed twice", Post(path, (*right.headers, right.headers[0]), moved)
            yield f"{source} to an unknown account", Post(f"/carriers/{source}/nobody", right.headers, moved)
            yield f"{source} to another account", Post(f"/carriers/{source}/{OTHER_ACCOUNT}", right.headers, moved)
            yield f"{source} as another source", Post(f"/carriers/correios/{ACCOUNT}", right.headers, moved)
            yield f"{source} as an unknown source", Post(f"/carriers/nobody/{ACCOUNT}", right.headers, moved)
        order_id = f"{_FORGED}0000-01"
        body = f'{{"OrderId": "{order_id}", "State": "invoiced", "Origin": {{"Account": "{ACCOUNT}"}}}}'.encode()
        hook = f"/vtex/hook/{ACCOUNT}"
        right_secret = ((_HOOK_HEADER, _secret(ACCOUNT, "vtex")),)
        yield "a notification without a secret", Post(hook, (), body)
        yield "a notification with a wrong secret", Post(hook, ((_HOOK_HEADER, "wrong-0123456789"),), body)
        foreign_secret = ((_HOOK_HEADER, _secret(OTHER_ACCOUNT, "vtex")),)
        yield "a notification with the secret of another account", Post(hook, foreign_secret, body)
        yield "a notification to an unknown account", Post("/vtex/hook/nobody", right_secret, body)
        yield (
            "a notification of another account",
            Post(hook, right_secret, body.replace(f'"{ACCOUNT}"'.encode(), f'"{OTHER_ACCOUNT}"'.encode())),
        )

    def _settle(self) -> None:
        """Wait until everything was sent."""
        end = time.monotonic() + PATIENCE
        while not self._is_settled():
            if time.monotonic() > end:
                self.violations.append(f"not everything was sent after {PATIENCE:.0f} s: {self._state()}")
                return
            time.sleep(0.1)

    def _is_settled(self) -> bool:
        """Return whether nothing waits. Events that were certainly not applied are released by hand."""
        try:
            with open_reader(self.location) as journal:
                counts = journal.counts().get(self.account, Counter())
                if counts["unknown"] and not counts["in_flight"]:
                    self._release_missing()
                requests = journal.select_many("requested_orders", [self.account])
                waiting = sum(each.waiting for each in parked_counts(journal, self._now()))
        except JournalError:
            return False
        open_entries = sum(counts[state] for state in ("pending", "in_flight", "unknown"))
        return not (open_entries or requests or waiting) and counts["applied"] >= self._expected_entries

    @property
    def _expected_entries(self) -> int:
        return sum(len(parcel.steps) + 1 for parcel in self.orders.parcels if not parcel.is_return)

    def _release_missing(self) -> None:
        """Do what a person does about an unknown event that is not on its order: send it again.

        A process that was killed between recording that it begins a call and making it leaves such an event. Without a
        person, it would be sent again after an hour.
        """
        with open_journal(self.location) as journal:
            for entry in [*journal.entries(Selection(("unknown",)))]:
                package = self.oms.orders[entry.package.order_id].packages[entry.package.invoice_number]
                events = [event["description"] for change in package.changes for event in change.events]
                is_applied = (
                    any(change.delivered for change in package.changes)
                    if entry.event is None
                    else entry.event.description in events
                )
                is_old = entry.begun is not None and (self._now() - entry.begun).total_seconds() > _DOUBTFUL_SECONDS
                if is_old and not is_applied:
                    self.resolved += journal.resolve(Selection(ids=(entry.id,)), "pending", "the trial")

    def _check_orders(self) -> None:
        """Record a description of each broken promise about orders and journal."""
        by_package = {(each.order_id, each.invoice): each for each in self.orders.parcels}
        for order_id, order in self.oms.orders.items():
            for invoice, package in order.packages.items():
                changes = [change for change in package.changes if change.numbers is None]
                self._check_package(by_package[order_id, invoice], changes)
        refused = [f"{each.method} {each.path}: {each.status}" for each in self.oms.received if each.status != _OK]
        self.violations += [f"VTEX refused {each}" for each in refused]
        with open_reader(self.location) as journal:
            if parked_naming(journal, _FORGED):
                self.violations.append("a forged event is parked")
            others = {account: dict(counts) for account, counts in journal.counts().items() if account != self.account}
            if any(others.values()):
                self.violations.append(f"other accounts have events: {others}")
            given_up = sum(each.given_up for each in parked_counts(journal, self._now()))
        returned = sum(len(each.steps) for each in self.orders.parcels if each.is_return)
        if given_up != returned:
            self.violations.append(f"{given_up} events were given up, not the {returned} of returns")
        if forged := [order_id for order_id in self.oms.reads if _FORGED in order_id]:
            self.violations.append(f"forged orders were read: {forged}")

    def _check_package(self, parcel: Parcel, changes: list[Change]) -> None:
        where = f"{parcel.source}, order {parcel.order_id}, invoice {parcel.invoice}"
        events = [event for change in changes for event in change.events]
        expected = [] if parcel.is_return else [step.event for step in parcel.steps]
        if events != expected:
            shown, wanted = ([f"{each['date']} {each['description']}" for each in some] for some in (events, expected))
            self.violations.append(f"{where}: {shown} instead of {wanted}")
        deliveries = [change.delivered_date for change in changes if change.delivered]
        if deliveries != ([] if parcel.is_return else [parcel.delivered_date]):
            self.violations.append(f"{where}: delivered {deliveries}")
        if deliveries and not changes[-1].delivered:
            self.violations.append(f"{where}: something was sent after the delivery")

    def _replay(self) -> None:
        """Post every webhook once more: it must be accepted, and change nothing."""
        before = self.oms.updates, self._state()
        with ThreadPoolExecutor(_CLIENTS) as clients:
            for done in [clients.submit(self._post, post) for posts in self.genuine.values() for post in posts]:
                done.result()
        self._settle()
        after = self.oms.updates, self._state()
        if before != after:
            self.violations.append(f"posting everything again changed {before} to {after}")

    def _state(self) -> str:
        with open_reader(self.location) as journal:
            counts = {account: sorted(states.items()) for account, states in sorted(journal.counts().items())}
            return f"{counts}, {parked_counts(journal, self._now())}"

    @staticmethod
    def _now() -> dt.datetime:
        return dt.datetime.now(dt.UTC)
