"""The page as HTML: its texts, its accessibility, and that texts of others are harmless in it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Held, PackageKey
from vtex_tracking_ext.bulk.report.causes import Record, group
from vtex_tracking_ext.carriers import CarrierEvent, Status
from vtex_tracking_ext.orders import OrderPackage
from vtex_tracking_ext.orders.parked import ParkedCounts, ParkedEvent
from vtex_tracking_ext.orders.store import KnownOrders, KnownPackage
from vtex_tracking_ext.service.history import History, PackageHistory
from vtex_tracking_ext.service.overview import Account, Overview
from vtex_tracking_ext.service.page import POLICY, _iso_time, render_history, render_overview

from support.entries import ADDED, HOSTILE, SETTLED, entry, hostile

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.entries import Entry, State
    from vtex_tracking_ext.bulk.report.causes import Group, Kind

NOW = dt.datetime(2026, 11, 24, 8, 30, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
VOID = {"meta", "input"}
RECORD = AccountRecord("mystore", 1, NOW, last_applied=SETTLED)
ZERO: Counter[State] = Counter()


class Page(HTMLParser):
    """The elements of a page; parsing fails if a tag is not closed.

    Attributes:
        tags: Every element with its attributes.
        text: The text but for the style sheet, with single blanks.
        style: The style sheet.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.style = self._text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open
        self.text = " ".join(self._text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that the innermost element is closed."""
        assert self._open.pop() == tag
        self._text += "" if tag in {"bdi", "b", "span", "a", "code"} else " "

    def handle_data(self, data: str) -> None:
        """Record text."""
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self._text += data

    def having(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


def checked(source: str) -> Page:
    """Return a page, after the checks that every page must pass."""
    assert source.startswith("<!doctype html>\n")
    page = Page(source)
    assert not {name for name, _ in page.tags} & {"script", "img", "link", "iframe", "object", "embed", "base", "svg"}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in {"style", "src"}]
        assert attributes.get("href") in {None, "./", "?find="}
        assert attributes.get("action") in {None, "./"}
    (policy,) = [meta["content"] for meta in page.having("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'self'"
    assert f"{policy}; frame-ancestors 'none'" == POLICY
    assert "url(" not in page.style
    assert page.having("html") == [{"lang": "en"}]
    levels = [int(name[1]) for name, _ in page.tags if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(attributes.get("scope") in {"col", "row"} for attributes in page.having("th"))
    assert len(page.having("caption")) == len(page.having("table"))
    assert all(character.isprintable() for character in page.text)
    return page


def account(name: str = "mystore", **values: Any) -> Account:
    """Return an account."""
    plain = Account(name, ZERO, RECORD, "", Held(), None, None, None, is_served=True, now=NOW)
    return evolve(plain, **values)


def groups(kind: Kind, *reasons: str, number: int = 1) -> list[Group]:
    """Return groups with these reasons."""
    at = int(ADDED.timestamp())
    records = [Record(n, "mystore", n, 404, reason, at) for reason in reasons for n in range(1, number + 1)]
    return group(kind, records, " --journal journal.db")


def overview(*accounts: Account, **values: Any) -> Page:
    """Return the page of an overview."""
    return checked(render_overview(evolve(Overview("journal.db", NOW, accounts, (), {}), **values)))


def package(*entries: Entry, known: KnownPackage | None = None, **values: Any) -> PackageHistory:
    """Return the history of a package."""
    key = PackageKey("mystore", "v1-01", "000030711")
    return evolve(PackageHistory(key, ("order id",), known, (), entries, has_more=False), **values)


def shown(**values: Any) -> Page:
    """Return the page of a history."""
    return checked(render_history(History(**{"what": "v1-01", "now": NOW, **values})))


def parked(**values: Any) -> ParkedEvent:
    """Return a parked event."""
    event = CarrierEvent(
        "correios", "BDE/01", ADDED, Status.DELIVERED, description="Entregue", city="Cajamar", tracking_code="QB1BR"
    )
    reason = "no order is known with tracking number 'QB1BR'"
    plain = ParkedEvent(7, "mystore", event, "correios webhook", ADDED, NOW + DAY, ADDED, reason, is_reported=False)
    return evolve(plain, **values)


def test_empty_journal() -> None:
    """The page of an empty journal says what can come in, and has neither numbers nor tables."""
    page = overview()
    assert "Nothing was received yet. Find an order, invoice or tracking number Events come from" in page.text
    assert page.having("table") == page.having("dl") == page.having("li") == []
    assert {"http-equiv": "refresh", "content": "15"} in page.having("meta")


def test_fine_journal() -> None:
    """The verdict comes first, then the numbers, and the account with its last applied event."""
    page = overview(account(states=Counter(applied=1200, pending=2, in_flight=3), deliverer="process 1 on host"))
    assert "The page reloads every 15 seconds. Nothing needs a person." in page.text
    assert "0 unknown" not in page.text
    assert "0unknown 0refused 0parked 2pendingand 3 in flight 1,200applied 0withdrawn" in page.text
    assert "mystore deliveringby process 1 on host 2and 3 in flight 0 0 0 1,200 2026-11-23 12:05 0" in page.text
    assert "fine" in str(page.having("p")[1]["class"])


def test_accounts_have_their_details() -> None:
    """The state of an account has its reason; held, late and parked events and known orders have their times."""
    stopped = evolve(RECORD, stopped=ADDED, stopped_reason="403", last_applied=None)
    page = overview(
        account(
            record=stopped,
            states=Counter(pending=5),
            held=Held(1, NOW),
            pending_since=ADDED,
            parked=ParkedCounts("mystore", 2, 1, ADDED),
            known=KnownOrders("mystore", 1234, 1, 1, 1, ADDED, SETTLED),
        ),
        account("", record=None, parked=ParkedCounts("", 1, 0, ADDED)),
    )
    assert "mystore stopped since 2026-11-23 12:00 UTC: 403. The next push" in page.text
    assert "A person is needed: mystore is stopped and 1 parked event was given up." in page.text
    assert "mystore stopped 51 heldsince 2026-11-23 12:00 0 0 31 given up 0 never" in page.text
    assert "1,234the latest 2026-11-23 12:05" in page.text
    assert "not known nothing to do 0 0 0 1 0 never 0" in page.text


def test_causes_have_commands() -> None:
    """Each cause has its numbers, help, latest reason and commands; what is left out is counted."""
    found = [*groups("unknown", "got no response", "killed"), *groups("refused", "wrong", number=1200)]
    page = overview(account(states=Counter(unknown=2)), groups=tuple(found), left_out={"refused": 3})
    for each in found:
        assert each.title in page.text
        assert each.help in page.text
        for command in each.commands:
            assert f"{command.purpose} {command.text}" in page.text
    assert "1 event of 1 package, mystore; the latest at 2026-11-23 12:00 UTC" in page.text
    assert "1,200 events of 1,200 packages, mystore; the latest" in page.text
    assert "And 3 events more, which are older or of rarer causes." in page.text
    several = evolve(found[0], accounts=("", "a", "b"), example="")
    assert "1 package, a and b; the latest" in overview(account(), groups=(several,)).text


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_texts_are_harmless_in_the_overview(text: str) -> None:
    """Hostile texts add no elements, are printable, and are limited in length."""

    def page(text: str) -> Page:
        record = evolve(RECORD, account=text, stopped=ADDED, stopped_reason=text)
        found = [evolve(each, accounts=(text,)) for each in groups("refused", text)]
        accounts = account(text, record=record, deliverer=text)
        return overview(accounts, groups=tuple(found), journal=text)

    assert page(text).tags == page("plain").tags
    assert len(page(text).text) < 8000


def test_search_form_without_an_identifier() -> None:
    """The form has no results, gets the focus, and is not loaded again."""
    page = shown(what="")
    (field,) = page.having("input")
    assert (field["name"], field["value"], "autofocus" in field) == ("find", "", True)
    assert page.having("form") == [{"class": "find", "action": "./", "method": "get", "role": "search"}]
    assert not any(meta.get("http-equiv") == "refresh" for meta in page.having("meta"))
    assert page.having("section") == page.having("ol") == []


def test_unknown_identifier() -> None:
    """An identifier that means nothing is said so, and stays in the form."""
    page = shown(what='x">')
    assert "No package and no event with this identifier is known." in page.text
    assert page.having("input")[0]["value"] == 'x">'
    assert "autofocus" not in page.having("input")[0]


@pytest.mark.parametrize("text", ["", "2026-11-20", "2026-11-20T08:00:00", "ontem"])
def test_a_time_without_a_zone_is_shown_as_it_is(text: str) -> None:
    """A file of orders may have any text there."""
    assert _iso_time(text) == text


def test_history_of_a_package() -> None:
    """A package has what is known of it, and each event what came in, what was sent, and what VTEX answered."""
    known = KnownPackage(
        OrderPackage("v1-01", "000030711", "3526"),
        journal_account="mystore",
        type="Output",
        courier="Correios",
        finished=True,
        invoiced="2026-11-20T08:00:00.1234567-03:00",
        order_status="invoiced",
        seen=ADDED,
    )
    event = TrackingEvent("2026-11-21", "Postado", "Cajamar", "SP")
    entries = (
        entry(9, "pending", event=None, delivered_date="2026-11-22 10:00", not_before=NOW + DAY),
        entry(8, "pending", event=None),
        entry(7, "in_flight", event=event, time="10:20", attempts=2),
        entry(6, "applied", receipt="r1", status_code=200),
        entry(5, "refused", reason="404 Not Found", status_code=404, volume="2", volume_delivered=""),
        entry(4, "unknown", reason="cut off", place=Place("a b.csv", 3), volume="1"),
    )
    page = shown(packages=(package(*entries, known=known, tracking_numbers=("QB1BR", "QB2BR")),))
    assert "Found: 1 package." in page.text
    assert (
        "Order v1-01, invoice 000030711 delivered at VTEX Account mystore Found by order id Tracking QB1BR, QB2BR "
        "Carrier Correios NF-e key 3526 Invoiced 2026-11-20 11:00 UTC Order status invoiced "
        "Order seen 2026-11-23 12:00 UTC"
    ) in page.text
    assert (
        "Deliverypending 2026-11-22 10:00 Noted 2026-11-23 12:00:00 UTC, events.csv, line 10 Sent not yet Note "
        "1 delivery is held until 2026-11-25 08:30 UTC, because the carrier can still take it back."
    ) in page.text
    assert "Deliverypending no date given Noted 2026-11-23 12:00:00 UTC, events.csv, line 9 Sent not yet" in page.text
    assert "Postadoin flight 2026-11-21 10:20, Cajamar/SP Noted" in page.text
    assert "Sent 2026-11-23 12:00:00 UTC, attempt 2" in page.text
    assert "Answer 2026-11-23 12:05:00 UTC, HTTP 200; receipt r1" in page.text
    assert "Answer 2026-11-23 12:05:00 UTC, 404 Not Found Objeto" in page.text
    assert "volume 2 delivered Noted" in page.text
    assert "volume 1 Noted 2026-11-23 12:00:00 UTC, a b.csv, line 3" in page.text
    a_return = package(known=evolve(known, type="Input"))
    page = shown(packages=(a_return, package(entry(), has_more=True)), left_out=4)
    assert "Found: 6 packages, of which 2 are shown." in page.text
    assert "invoice 000030711 return" in page.text
    assert "No event of this package was received yet." in page.text
    assert "Order not known; only its events are" in page.text
    assert "And earlier events." in page.text
    assert "And at least 4 more packages" in page.text
    assert "delivered at VTEX" not in shown(packages=(package(known=evolve(known, finished=None)),)).text


def test_parked_events_are_shown() -> None:
    """A parked event has its carrier's code, its reason, and until when it waits, or when it was given up."""
    page = shown(parked=(parked(),))
    assert "Found: 1 parked event." in page.text
    assert (
        "Entreguewaiting 2026-11-23, Cajamar Package tracking number 'QB1BR' Account mystore Received "
        "2026-11-23 12:00:00 UTC, correios webhook, line 1; number 7 Carrier code correios BDE/01 Reason no order is "
        "known with tracking number 'QB1BR' Waits until 2026-11-25 08:30:00 UTC"
    ) in page.text
    bare = parked(account="", expires=ADDED, event=CarrierEvent("correios", "BDE/01", ADDED))
    page = shown(packages=(package(),), parked=(bare, bare), has_more_parked=True)
    assert "Found: 1 package, and more than 2 parked events." in page.text
    assert "BDE/01given up 2026-11-23 Received" in page.text
    assert "Given up 2026-11-23 12:00:00 UTC" in page.text


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_texts_are_harmless_in_a_history(text: str) -> None:
    """Hostile texts add no elements, are printable, and are limited in length."""

    def page(text: str) -> Page:
        known = KnownPackage(OrderPackage(text, text), text, "Output", text, None, text, text, ADDED)
        event = CarrierEvent(text, text, ADDED, description=text, city=text, state=text, tracking_code=text)
        found = package(hostile(text), known=known, key=PackageKey(text, text, text), tracking_numbers=(text, text))
        waiting = parked(account=text, event=event, payload=text, reason=text)
        return shown(what=text[:100].replace("\ud83d", "?"), packages=(found,), parked=(waiting,))

    names = [[(tag, sorted(attributes)) for tag, attributes in page(each).tags] for each in (text, "plain")]
    assert names[0] == names[1]
    assert len(page(text).text) < 12_000
