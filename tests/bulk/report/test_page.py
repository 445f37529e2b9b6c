"""Tests of the HTML page: what it says, its accessibility, and that texts of others are harmless in it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections import defaultdict
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Entry, PackageKey, Selection, State
from vtex_tracking_ext.bulk.report import packages as packages_module
from vtex_tracking_ext.bulk.report import summary as summary_module
from vtex_tracking_ext.bulk.report.filters import EVERYTHING, EntryFilter
from vtex_tracking_ext.bulk.report.page import render_page

from support.entries import ADDED, HOSTILE, SETTLED, entry, hostile
from support.reported import FakeJournal

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = dt.datetime(2026, 11, 24, 8, 30, tzinfo=dt.UTC)
VOID = {"meta", "rect", "line", "img", "br", "hr", "input", "link"}
OTHER = PackageKey("otherstore", "o-02", "2")

#: The addresses that a page has.
ADDRESS = re.compile("#[a-z]+|https://[a-z0-9-]+[.]myvtex[.]com/admin/orders/[A-Za-z0-9%._~-]+")

#: What the script finds only if packages are listed.
FILTER_IDS = {"filters", "shown", "reset"}

#: What may hold an address that a browser follows or fetches.
ADDRESSES = {"href", "src", "srcset", "action", "data", "poster", "xlink:href", "background", "formaction"}


class Page(HTMLParser):
    """What a page is made of; parsing it fails where its tags do not close.

    Attributes:
        tags: Every element with its attributes.
        texts: The text of each kind of element, what is within it included.
        text: All text but that of the style sheet and the script.
        style: The style sheet.
        script: The script.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = defaultdict(list)
        self._open: list[tuple[str, list[str]]] = []
        self.text = self.style = self.script = ""
        self.feed(source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append((tag, []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without an end."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Note what an element held."""
        name, texts = self._open.pop()
        assert name == tag
        self.texts[tag].append(" ".join("".join(texts).split()))

    def handle_data(self, data: str) -> None:
        """Note text."""
        for _, texts in self._open:
            texts.append(data)
        name = self._open[-1][0] if self._open else ""
        if name == "style":
            self.style += data
        elif name == "script":
            self.script += data
        else:
            self.text += data

    def having(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    def inline(self) -> list[tuple[str, str]]:
        """Return the style sheet and the script, each with the name of its element."""
        return [("style", self.style), ("script", self.script)]

    def rows(self) -> list[str]:
        """Return the texts of all rows."""
        return self.texts["tr"]


def shown(
    *entries: Entry, chosen: EntryFilter = EVERYTHING, records: Iterable[AccountRecord] = (), **journal: Any
) -> Page:
    """Return the page of entries, after the checks that every page must pass."""
    source = render_page(FakeJournal(entries, records, **journal), "journal.db", NOW, chosen)
    assert source.startswith("<!doctype html>\n")
    assert source.encode("utf-8")
    found = Page(source)
    check_harmless(found)
    check_accessible(found)
    return found


def check_harmless(found: Page) -> None:
    """Check that a page has no request, handler, script or style but its own, which the policy allows by their hashes.

    The only addresses are those of its own sections, and of orders in VTEX Admin.
    """
    names = {name for name, _ in found.tags}
    assert not names & {"img", "link", "iframe", "object", "embed", "base", "form", "image", "use"}
    for name, attributes in found.tags:
        assert not (ADDRESSES - {"href"}) & set(attributes)
        assert not [each for each in attributes if each.startswith("on") or each == "style"]
        if "href" in attributes:
            assert name == "a"
            assert ADDRESS.fullmatch(attributes["href"] or "")
            assert (attributes["href"] or "")[0] == "#" or attributes["rel"] == "noopener noreferrer"
    assert found.having("script") == [{}]
    assert "http-equiv" in found.having("meta")[1]  # before anything that it could forbid
    assert [name for name, _ in found.tags][:5] == ["html", "head", "meta", "meta", "meta"]
    (policy,) = [meta["content"] for meta in found.having("meta") if "http-equiv" in meta]
    assert policy is not None
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    hashes = {name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for name, text in found.inline()}
    assert allowed == {
        "default-src": "'none'",
        "style-src": f"'sha256-{hashes['style']}'",
        "script-src": f"'sha256-{hashes['script']}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert "--paper" in found.style
    assert "url(" not in found.style
    assert "@import" not in found.style
    assert not re.search("innerHTML|fetch|XMLHttp|import|eval|http", found.script)


def check_accessible(found: Page) -> None:
    """Check a page's language, headings, captions, scopes, labels and references."""
    assert found.having("html") == [{"lang": "en"}]
    levels = [int(name[1]) for name, _ in found.tags if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert all(1 < later <= level + 1 for level, later in pairwise(levels))
    assert len(found.having("caption")) == len(found.having("table"))
    assert all(attributes.get("scope") in {"col", "row"} for attributes in found.having("th"))
    assert len(found.having("label")) == len(found.having("input")) + len(found.having("select"))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for _, attributes in found.tags:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(ids)
        if (attributes.get("href") or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in ids
    assert set(re.findall(r'getElementById\("([^"]+)"\)', found.script)) - set(ids) in (set(), FILTER_IDS)


def test_an_empty_journal_has_a_hint() -> None:
    """The page of an empty journal says how to fill it, and has neither table, chart nor list."""
    found = shown()
    assert found.texts["h1"] == ["Nothing was pushed yet"]
    assert "Run a push to fill the journal." in found.texts["p"]
    assert found.having("table") == found.having("svg") == found.having("details") == found.having("nav") == []


def test_an_empty_selection_is_not_reported_as_an_empty_journal() -> None:
    """The page of an empty selection says that nothing matches, and what was selected."""
    found = shown(entry(), chosen=EntryFilter(since=NOW))
    assert found.texts["h1"] == ["No event matches"]
    assert "Run a push" not in found.text
    assert "Only since 2026-11-24 08:30 UTC" in found.texts["p"]


def test_all_applied_needs_nobody() -> None:
    """When all entries are applied the page says so, and proposes nothing."""
    found = shown(entry(1), entry(2))
    assert found.texts["h1"] == ["100 % applied"]
    assert found.texts["title"][0] == "100 % applied: journal.db"
    assert "Nothing needs you." in found.texts["p"]
    assert found.texts["h2"] == ["Accounts", "Over time", "Packages"]
    assert found.texts["a"][:4] == ["2 applied", "Accounts", "Over time", "Packages"]
    assert found.having("section")[0]["class"] == "verdict card fine"


def test_the_verdict_and_the_bar_come_first() -> None:
    """The verdict has the share, what needs a person and what waits, and a bar with its numbers as text."""
    states: tuple[State, ...] = ("unknown", "refused", "pending", "in_flight", "applied", "applied", "withdrawn")
    found = shown(*(entry(number, state) for number, state in enumerate(states)))
    assert found.texts["h1"] == ["33 % applied"]
    assert found.texts["li"][:8] == [
        "1 package needs you",
        "1 event is pending",
        "2 applied",
        "1 withdrawn",
        "1 pending",
        "1 in flight",
        "1 refused",
        "1 unknown",
    ]
    assert found.having("section")[0]["class"] == "verdict card person"
    bars = [svg for svg in found.having("svg") if svg.get("class") == "bar"]
    assert [bar["aria-label"] for bar in bars] == [
        "2 applied, 1 withdrawn, 1 pending, 1 in flight, 1 refused, 1 unknown"
    ] * 2  # of all accounts, and of the only one
    assert found.texts["h2"] == ["Accounts", "What needs you", "What waits", "Over time", "Packages"]


def test_pending_events_alone_need_nobody() -> None:
    """The page says so, and what sends them."""
    found = shown(entry(1, "pending"))
    assert found.texts["li"][:2] == ["nothing needs you", "1 event is pending"]
    assert found.texts["code"] == ["vtex-tracking push --journal '/var/lib/my journal.db'"]


def test_an_account_has_a_row() -> None:
    """Each account has a bar with numbers, why it is stopped or paused, and when something was last applied."""
    stopped = AccountRecord("mystore", 1, NOW, stopped=ADDED, stopped_reason="403 <no role>", last_applied=SETTLED)
    quiet = AccountRecord("quiet", 1, NOW, quiet_until=NOW + dt.timedelta(minutes=2), quiet_reason="HTTP 429")
    found = shown(
        entry(1, "pending"),
        entry(2, "in_flight", package=OTHER),
        records=[quiet, stopped],
        deliverers={"otherstore": "process 1"},
    )
    assert found.rows()[1:4] == [
        "mystore stopped 1 pending 1 pending since 2026-11-23 12:00 UTC: 403 <no role> 2026-11-23 12:05",
        "otherstore delivering 1 in flight 1 in flight by process 1 never",
        "quiet paused none until 2026-11-24 08:32 UTC: HTTP 429 never",
    ]
    assert found.texts["h3"] == ["mystore is stopped", "Not sent yet"]
    assert (
        "Grant the key a role with the resource Notify invoice in VTEX's License Manager. The next push tries one "
        "call, or a worker within ten minutes; once it succeeds, the pending events are sent."
    ) in found.texts["p"]


def test_a_cause_has_what_helps_and_commands() -> None:
    """A cause has its number, an explanation, the latest reason, and commands; those left out are counted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary_module, "MAX_GROUPS", 1)
        found = shown(
            entry(1, "refused", reason="404", status_code=404),
            entry(2, "refused", reason="404 <i>", status_code=404),
            entry(3, "refused", reason="other"),
        )
    assert found.texts["h3"] == ["VTEX does not know the order or the invoice"]
    assert "2 refused" in found.texts["span"]
    assert "2 events of 1 package, mystore; the latest at 2026-11-23 12:05 UTC" in found.texts["p"]
    assert "404 <i>" in found.texts["p"]
    assert found.texts["code"] == [
        "vtex-tracking report --state refused --format csv --output refused.csv --journal '/var/lib/my journal.db'",
        "vtex-tracking resolve --dismiss --cause 1 --journal '/var/lib/my journal.db'",
    ]
    assert "And 1 event more, which are older or of rarer causes." in found.texts["p"]


def test_a_limited_page_says_what_its_commands_are_for() -> None:
    """They change all events of a cause, and a page of some orders or files shows only some of them."""
    note = (
        "A command for a cause applies to all of its events in the journal, including those that this page leaves out."
    )
    refused = entry(1, "refused", reason="other")
    assert note in shown(refused, chosen=EntryFilter(sources=("events.csv",))).texts["p"]
    assert note not in shown(refused, chosen=EntryFilter(Selection(account="mystore"))).texts["p"]
    assert note not in shown(refused).texts["p"]


def test_parked_events_are_shown() -> None:
    """Those that were given up need a person; those that wait do not."""
    parked = [(2, "mystore", "a|2|x", 0, "is being looked up", 0), (1, "mystore", "a|1|x", 1, "no order", 0)]
    found = shown(parked=parked)
    assert found.texts["h2"] == ["What needs you", "What waits"]
    assert found.texts["h3"] == ["Another reason", "Just received"]


def test_held_deliveries_are_counted() -> None:
    """How many pending deliveries are held, and until when, is said for the selected account or for all."""
    hours = [ADDED + dt.timedelta(hours=n) for n in (1, 2)]
    entries = [
        entry(1, "pending", event=None, not_before=hours[0]),
        entry(2, "pending", event=None, not_before=hours[1], package=OTHER),
    ]
    one = "1 delivery is held until 2026-11-23 13:00 UTC, because the carrier can still take it back."
    two = "2 deliveries are held, the last until 2026-11-23 14:00 UTC, because the carrier can still take them back."
    assert f"A push sends them; nothing is sent twice. {two}" in shown(*entries).texts["p"]
    found = shown(*entries, chosen=EntryFilter(Selection(account="mystore")))
    assert f"A push sends them; nothing is sent twice. {one}" in found.texts["p"]
    assert "Held until" in found.texts["dt"]


def test_a_package_is_a_row_with_its_events_folded() -> None:
    """The row has state, order, event, reason, account, time and number of events; its events have all details."""
    event = entry(
        4, "refused", reason="Order not found", status_code=404, attempts=3, place=Place("carrier/events.csv", 17)
    )
    applied = entry(3, receipt="f67d33", status_code=200, time="09:30", volume="1/2")
    pending = entry(5, "pending", event=None, delivered_date="2026-10-08 21:15")
    undated = entry(6, "pending", event=None)
    found = shown(applied, event, pending, undated)
    assert found.texts["summary"][-1] == (
        "refused 1172452900788-01invoice 000030711 Objeto postadoOrder not found mystore 2026-11-23 12:054 events"
    )
    (history,) = found.texts["ol"]
    assert history == (
        "Deliverypending no date given Added2026-11-23 12:00, events.csv, line 7; number 6 "
        "Deliverypending 2026-10-08 21:15 Added2026-11-23 12:00, events.csv, line 6; number 5 "
        "Objeto postadorefused 2026-10-05, S\u00e3o Paulo/SP Added2026-11-23 12:00, carrier/events.csv, line 17; "
        "number 4 Sent2026-11-23 12:00, attempt 3 Answer2026-11-23 12:05, Order not found, HTTP 404 "
        "Objeto postadoapplied 2026-10-05 09:30, S\u00e3o Paulo/SP, volume 1/2 Added2026-11-23 12:00, events.csv, "
        "line 4; number 3 Sent2026-11-23 12:00 Answer2026-11-23 12:05, HTTP 200, receipt f67d33"
    )
    assert found.having("a")[-1]["href"] == "https://mystore.myvtex.com/admin/orders/1172452900788-01"


def test_an_entry_that_was_never_sent_has_a_note() -> None:
    """What was withdrawn before it was sent has no answer, but a note."""
    found = shown(entry(1, "withdrawn", begun=None, reason="by hand"))
    assert "Note2026-11-23 12:05, by hand" in found.texts["ol"][0]


def test_packages_can_be_filtered_by_state_account_file_and_day() -> None:
    """A package names what it can be filtered by, with the values of the options; no package is hidden at first."""
    later = SETTLED + dt.timedelta(days=1)
    entries = [
        entry(1),
        entry(2, "refused", place=Place("/in/b.csv", 1), settled=later),
        entry(3, package=OTHER, settled=later),
    ]
    found = shown(*entries)
    listed = [item for item in found.having("li") if "data-states" in item]
    assert listed == [
        {"data-states": "refused applied", "data-account": "0", "data-files": "0 1", "data-days": "0 1"},
        {"data-states": "applied", "data-account": "1", "data-files": "1", "data-days": "0"},
    ]
    options = [*zip((option["value"] for option in found.having("option")), found.texts["option"], strict=True)]
    assert options == [
        *[("", "all"), ("refused", "refused (1)"), ("applied", "applied (2)")],
        *[("", "all"), ("0", "mystore"), ("1", "otherstore")],
        *[("", "all"), ("0", "b.csv"), ("1", "events.csv")],
        *[("", "all"), ("0", "2026-11-24"), ("1", "2026-11-23")],
    ]
    names = [field["name"] for field in [*found.having("input"), *found.having("select")]]
    assert names == ["text", "states", "account", "files", "days"]
    assert [each["hidden"] for each in found.having("div") if each.get("role") == "search"] == [None]


def test_a_long_list_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The most urgent packages are listed, and how many there are and how to get all of them is said."""
    monkeypatch.setattr(packages_module, "MAX_PACKAGES", 2)
    monkeypatch.setattr("vtex_tracking_ext.bulk.report.page.MAX_PACKAGES", 2)
    keys = [evolve(OTHER, order_id=str(number)) for number in range(3)]
    found = shown(*(entry(number, package=key) for number, key in enumerate(keys)), entry(9, "pending", package=OTHER))
    assert [text.split()[1] for text in found.texts["summary"][1:]] == ["o-02invoice", "2invoice"]
    assert (
        "Listed are 2 of 4 packages: those with unknown events first, then refused, in flight and pending ones, then "
        "the latest. For others, make a report with --state, --account, --order, --source or --since; a file has all "
        "events."
    ) in found.texts["p"]
    command = "vtex-tracking report --format csv --output events.csv --journal '/var/lib/my journal.db'"
    assert command in found.texts["code"]
    assert command not in shown(entry(1)).texts["code"]


def test_a_long_history_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package shows its latest events, and says how many earlier ones it has."""
    monkeypatch.setattr(packages_module, "MAX_EVENTS", 2)
    found = shown(*(entry(number) for number in range(3)))
    assert len(found.having("ol")) == 1
    assert "And 1 earlier event." in found.texts["p"]
    assert "3 events" in found.texts["span"]


def test_chart_has_text_alternatives() -> None:
    """The chart has a title, a description, a title for each bar, and a table with the same numbers."""
    entries = [entry(1), entry(2, "refused"), entry(3, "unknown", settled=SETTLED + dt.timedelta(hours=3)), entry(4)]
    entries.append(entry(7, "withdrawn"))
    found = shown(*entries, entry(5, "pending"), entry(6, "in_flight"))
    (chart,) = [svg for svg in found.having("svg") if svg.get("class") == "plot"]
    assert chart["aria-labelledby"] == "chart-title chart-text"
    assert "5 entries from 2026-11-23 12:05 to 2026-11-23 15:10. Each bar is 5 minutes." in found.texts["figcaption"][0]
    assert "2026-11-23 12:05 to 2026-11-23 12:10: 2 applied, 1 withdrawn, 1 refused, 0 unknown" in found.texts["title"]
    assert "2026-11-23 15:052026-11-23 15:100001" in found.rows()
    assert found.texts["desc"][0].startswith("A bar chart from 2026-11-23 12:05 to 2026-11-23 15:10")
    parts = [rect["class"] for rect in found.having("rect") if (rect["class"] or "").startswith("part")]
    assert parts == ["part refused", "part withdrawn", "part applied", "part unknown"]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (EntryFilter(Selection(account="OTHERstore")), "account otherstore"),
        (EntryFilter(Selection(("unknown", "in_flight"))), "state in flight or unknown"),
        (EntryFilter(Selection(("pending",), account="mystore")), "account mystore, state pending"),
        (EntryFilter(orders=("o-02", "<b>"), sources=("a*.csv",)), "order o-02 or <b>, file a*.csv"),
    ],
)
def test_filtered_page_names_its_filter(chosen: EntryFilter, said: str) -> None:
    """The page of a selection names its conditions."""
    found = shown(entry(1, "pending"), entry(2, "unknown", package=OTHER), chosen=chosen)
    assert f"Only {said}" in found.texts["p"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_texts_add_no_elements(text: str) -> None:
    """Hostile texts add no elements or attributes, are printable, and are limited in length."""
    plain = shown(hostile("plain@", "unknown"))
    found = shown(hostile(text, "unknown"))
    assert [(name, [*attributes]) for name, attributes in found.tags] == [
        (name, [*attributes]) for name, attributes in plain.tags
    ]
    assert all(character.isprintable() or character == "\n" for character in found.text)
    assert len(found.text) < 20_000
    if text.isprintable() and len(text) < 100:
        assert text in found.text


def test_journal_name_is_escaped() -> None:
    """The journal's name is escaped in the title and on the page."""
    found = Page(render_page(FakeJournal([]), "</title><script>\u202e", NOW))
    assert len(found.having("script")) == 1
    assert found.texts["title"] == [r"Nothing was pushed yet: </title><script>\u202e"]


def test_right_to_left_texts_are_isolated() -> None:
    """Right-to-left texts are isolated, so that the text around them keeps its direction."""
    arabic = "\u0645\u0631\u062d\u0628\u0627"
    found = shown(entry(1, "unknown", event=TrackingEvent("2026-10-05", arabic, arabic, ""), reason=arabic))
    assert found.texts["bdi"].count(arabic) == 4
    assert f"2026-10-05, {arabic}" in found.texts["bdi"]
