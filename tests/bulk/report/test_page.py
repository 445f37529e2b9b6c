"""Tests of the HTML page: its counts, its accessibility, and that texts of others are harmless in it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
import tracemalloc
from collections import Counter, defaultdict
from html.parser import HTMLParser
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal import entries as journal_entries
from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Entry, Meta, PackageKey, Selection, State
from vtex_tracking_ext.bulk.journal.interface import ALL, JournalReader
from vtex_tracking_ext.bulk.report.page import MAX_ROWS, Summary, render_page

from support.entries import ADDED, HOSTILE, SETTLED, entry, hostile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NOW = dt.datetime(2026, 11, 24, 8, 30, tzinfo=dt.UTC)
VOID = {"meta", "rect", "line", "img", "br", "hr", "input", "link"}
OTHER = PackageKey("otherstore", "o-02", "2")

#: What may hold an address that a browser follows or fetches.
ADDRESSES = {"href", "src", "srcset", "action", "data", "poster", "xlink:href", "background", "formaction"}


class Held(JournalReader):
    """A journal that holds these entries."""

    name = "journal.db"

    def __init__(self, entries: Iterable[Entry], records: Iterable[AccountRecord] = ()) -> None:
        self._entries = tuple(entries)
        self._records = tuple(records)

    def meta(self) -> Meta:
        """Return when it was made."""
        return Meta(1, ADDED)

    def _now(self) -> dt.datetime:
        return ADDED

    def deliverers(self) -> Mapping[str, str]:
        """Return nobody."""
        return {}

    def accounts(self) -> Mapping[str, AccountRecord]:
        """Return what is known of each account."""
        return {record.account: record for record in self._records}

    def held(self) -> Mapping[str, journal_entries.Held]:
        """Return the entries with a hold, each of an account of its own."""
        return {e.package.account: journal_entries.Held(1, e.not_before) for e in self._entries if e.not_before}

    def entries(self, selection: Selection = ALL) -> Iterator[Entry]:
        """Yield the selected entries."""
        return filter(selection.matches, self._entries)

    def close(self) -> None:
        """Do nothing."""

    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        raise NotImplementedError(sql, values)

    def _fetch_many(self, sql: str, wanted: Sequence[int | str]) -> list[tuple[Any, ...]]:
        raise NotImplementedError(sql, wanted)

    def _to_utc(self, stored: Any) -> dt.datetime:
        raise NotImplementedError(stored)


class Page(HTMLParser):
    """What a page is made of; parsing it fails where its tags do not close.

    Attributes:
        tags: Every element with its attributes.
        texts: The text of each kind of element, what is within it included.
        text: All text but that of the style sheet.
        style: The style sheet.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = defaultdict(list)
        self._open: list[tuple[str, list[str]]] = []
        self.text = self.style = ""
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
        if self._open and self._open[-1][0] == "style":
            self.style += data
        else:
            self.text += data

    def having(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    def rows(self) -> list[str]:
        """Return the texts of all rows."""
        return self.texts["tr"]


def shown(*entries: Entry, selection: Selection = ALL, records: Iterable[AccountRecord] = ()) -> Page:
    """Return the page of entries, after the checks that every page must pass."""
    held: JournalReader = Held(entries, records)
    source = render_page(held, "journal.db", NOW, selection)
    assert source.startswith("<!doctype html>\n")
    assert source.encode("utf-8")
    found = Page(source)
    check_harmless(found)
    check_accessible(found)
    return found


def check_harmless(found: Page) -> None:
    """Check that a page has no script, request, handler or style but its own, which the policy allows by its hash."""
    names = {name for name, _ in found.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "embed", "base", "form", "a", "image", "use"}
    for _, attributes in found.tags:
        assert not ADDRESSES & set(attributes)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert "http-equiv" in found.having("meta")[1]  # before anything that it could forbid
    assert [name for name, _ in found.tags][:5] == ["html", "head", "meta", "meta", "meta"]
    (policy,) = [meta["content"] for meta in found.having("meta") if "http-equiv" in meta]
    assert policy is not None
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert {name: value for name, value in allowed.items() if name != "style-src"} == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    digest = hashlib.sha256(found.style.encode()).digest()
    assert allowed["style-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert "--paper" in found.style
    assert "url(" not in found.style
    assert "@import" not in found.style


def check_accessible(found: Page) -> None:
    """Check a page's language, headings, captions, scopes and references."""
    assert found.having("html") == [{"lang": "en"}]
    levels = [int(name[1]) for name, _ in found.tags if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert len(found.having("caption")) == len(found.having("table"))
    assert all(attributes.get("scope") in {"col", "row"} for attributes in found.having("th"))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for _, attributes in found.tags:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(ids)


def test_empty_journal_is_reported() -> None:
    """The page of an empty journal has zeros, a hint, and neither table nor chart."""
    found = shown()
    assert "Nothing: the journal is empty. Run a push to fill it." in found.text
    assert found.having("table") == found.having("svg") == []
    assert [text for text in found.texts["li"] if text] == [
        "0unknown",
        "0refused",
        "0pending",
        "0in flight",
        "0applied",
        "0withdrawn",
        "0total",
    ]


def test_all_applied_needs_no_action() -> None:
    """When all entries are applied the page says so and lists no entries."""
    found = shown(entry(1), entry(2))
    assert "Nothing: all entries were applied." in found.text
    assert "Total" not in "".join(found.texts["tfoot"])
    assert found.texts["h2"] == ["What to do", "Accounts", "Over time"]


def test_withdrawn_entries_need_no_action() -> None:
    """A page with applied and withdrawn entries says that none is open, not that all were applied."""
    found = shown(entry(1), entry(2, "withdrawn"))
    assert "Nothing: none of these entries is open." in found.text
    assert found.texts["h2"] == ["What to do", "Accounts", "Over time"]


def test_accounts_that_are_not_called_are_at_the_top() -> None:
    """Why an account was stopped or is paused stands before the numbers, for the selected account."""
    stopped = AccountRecord("mystore", 1, NOW, stopped=ADDED, stopped_reason="HTTP 403: <no role>.")
    quiet = AccountRecord("other", 1, NOW, quiet_until=NOW + dt.timedelta(minutes=2), quiet_reason="HTTP 429")
    lines = [
        (
            "mystore: stopped since 2026-11-23 12:00 UTC: HTTP 403: <no role>. The next push tries one call, "
            "or a worker within ten minutes; once it succeeds, the pending events are sent."
        ),
        "other: not called until 2026-11-24 08:32 UTC: HTTP 429.",
    ]
    found = shown(entry(1, "pending"), records=[quiet, stopped])
    assert found.texts["li"][:3] == [*lines, "0unknown"]
    assert shown(entry(), selection=Selection(account="other"), records=[quiet, stopped]).texts["li"][0] == lines[1]
    assert shown(entry(), records=[AccountRecord("mystore", 1, NOW)]).having("ul")[0]["class"] == "numbers"


def test_counts_match_the_entries() -> None:
    """The page has the counts of each account and the total, and what to do about each state."""
    states: tuple[State, ...] = ("unknown", "refused", "pending", "in_flight", "applied", "applied", "withdrawn")
    entries = [entry(number, state) for number, state in enumerate(states)]
    entries.append(entry(9, "unknown", package=OTHER, status_code=504, attempts=2, reason="cut off"))
    found = shown(*entries)
    assert "mystore1111217" in found.rows()
    assert "otherstore1000001" in found.rows()
    assert found.texts["tfoot"] == ["Total2111218"]
    todo = [text for text in found.texts["li"] if "." in text]
    assert [text.split(".")[0] for text in todo] == ["2 unknown", "1 in flight", "1 pending", "1 refused"]
    assert "vtex-tracking resolve" in todo[0]
    assert "push again" in todo[1]
    assert "Run vtex-tracking push to continue" in todo[2]
    assert found.texts["h2"] == ["What to do", "Accounts", "Over time", "Unknown outcomes", "Refused"]


def test_held_deliveries_are_counted() -> None:
    """How many pending deliveries are held, and until when, is said for the selected account or for all."""
    hours = [ADDED + dt.timedelta(hours=n) for n in (1, 2)]
    entries = [
        entry(1, "pending", event=None, not_before=hours[0]),
        entry(2, "pending", event=None, not_before=hours[1], package=OTHER),
    ]
    one = "1 delivery is held until 2026-11-23 13:00 UTC, because the carrier can still take it back."
    two = "2 deliveries are held, the last until 2026-11-23 14:00 UTC, because the carrier can still take them back."
    assert f"nothing is sent twice. {two}" in shown(*entries).text
    assert f"nothing is sent twice. {one}" in shown(*entries, selection=Selection(account="mystore")).text


def test_listed_entry_has_all_details() -> None:
    """A listed entry has all details, and a status code where its reason lacks one."""
    event = entry(
        4, "refused", reason="Order not found", status_code=404, attempts=3, place=Place("carrier/events.csv", 17)
    )
    delivery = entry(5, "unknown", event=None, delivered_date="2026-10-08 21:15", reason="HTTP 504", status_code=504)
    undated = entry(6, "unknown", event=None, reason="cut off", settled=None)
    rows = shown(event, delivery, undated).rows()
    assert (
        "1172452900788-01invoice 000030711mystore Objeto postado2026-10-05, S\u00e3o Paulo/SP Order not foundHTTP 404 "
        "carrier/events.csv:17 3 2026-11-23 12:05:00"
    ) in rows
    assert (
        "1172452900788-01invoice 000030711mystore Delivery2026-10-08 21:15 HTTP 504 events.csv:6 1 2026-11-23 12:05:00"
    ) in rows
    assert "1172452900788-01invoice 000030711mystore Deliveryno date given cut off events.csv:7 1" in rows


def test_unknown_entries_come_first_newest_first() -> None:
    """Unknown entries come before refused ones, each sorted by the time they were settled."""
    late, later = (SETTLED + dt.timedelta(minutes=minutes) for minutes in (5, 9))
    entries = [
        entry(1, "refused", reason="a"),
        entry(2, "unknown", reason="b", settled=later),
        entry(3, "unknown", reason="c"),
        entry(4, "unknown", reason="d", settled=late),
    ]
    reasons = [row.split("SP ")[1][0] for row in shown(*entries).rows() if "SP " in row]
    assert reasons == ["b", "d", "c", "a"]


def test_long_tables_are_limited() -> None:
    """A table shows the latest entries, and says how many more there are and how to list them."""
    entries = [
        entry(number, "refused", reason=f"r{number}", settled=SETTLED + dt.timedelta(seconds=number))
        for number in range(MAX_ROWS + 234)
    ]
    found = shown(*entries)
    caption = next(text for text in found.texts["caption"] if "refused" in text)
    assert caption == "The latest 1,000 of 1,234 refused entries, newest first"
    assert "And 234 more: vtex-tracking report --state refused --format csv lists them all." in found.texts["p"]
    reasons = [row.split("SP ")[1].split()[0] for row in found.rows() if "SP " in row]
    assert reasons == [f"r{number}" for number in reversed(range(234, MAX_ROWS + 234))]


def test_one_entry_is_counted_in_the_singular() -> None:
    """The chart and the table of a single refused entry say "1 entry" and "1 refused entry"."""
    found = shown(entry(1, "refused"))
    assert found.texts["figcaption"][0].startswith("When entries were settled: 1 entry from ")
    assert "1 refused entry, newest first" in found.texts["caption"]


def test_chart_has_text_alternatives() -> None:
    """The chart has a title, a description, a title for each bar, and a table with the same numbers."""
    entries = [entry(1), entry(2, "refused"), entry(3, "unknown", settled=SETTLED + dt.timedelta(hours=3)), entry(4)]
    entries.append(entry(7, "withdrawn"))
    found = shown(*entries, entry(5, "pending"), entry(6, "in_flight"))
    (chart,) = [svg for svg in found.having("svg") if svg.get("role") == "img"]
    assert chart["aria-labelledby"] == "chart-title chart-text"
    assert "5 entries from 2026-11-23 12:05 to 2026-11-23 15:10. Each bar is 5 minutes." in found.texts["figcaption"][0]
    assert "2026-11-23 12:05 to 2026-11-23 12:10: 2 applied, 1 withdrawn, 1 refused, 0 unknown" in found.texts["title"]
    assert "2026-11-23 15:052026-11-23 15:100001" in found.rows()
    assert found.texts["desc"][0].startswith("A bar chart from 2026-11-23 12:05 to 2026-11-23 15:10")
    parts = [rect["class"] for rect in found.having("rect") if (rect["class"] or "").startswith("part")]
    assert parts == ["part refused", "part withdrawn", "part applied", "part unknown"]


@pytest.mark.parametrize(
    ("selection", "said", "numbers"),
    [
        (Selection(account="OTHERstore"), "account otherstore.", 7),
        (Selection(("unknown", "refused")), "state unknown or refused.", 3),
        (Selection(("pending",), account="mystore"), "account mystore, state pending.", 2),
    ],
)
def test_filtered_page_names_its_filter(selection: Selection, said: str, numbers: int) -> None:
    """The page of a selection names its account and states, and shows no counts of other entries."""
    found = shown(entry(1, "applied"), entry(2, "unknown", package=OTHER), selection=selection)
    assert f"Filter: {said}" in found.texts["p"]
    assert len([attributes for attributes in found.having("b") if not attributes]) >= numbers
    assert len([text for text in found.texts["li"] if text[:1].isdigit() and "." not in text]) == numbers


def test_empty_selection_is_not_reported_as_empty_journal() -> None:
    """The page of an empty selection, or of one without open entries, says so."""
    assert "Nothing: there are no such entries." in shown(entry(), selection=Selection(account="none")).texts["p"]
    part = shown(entry(), selection=Selection(("applied",)))
    assert "Nothing: none of these entries is open." in part.texts["p"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_texts_add_no_elements(text: str) -> None:
    """Hostile texts add no elements, are printable, and are limited in length."""
    plain = shown(hostile("plain", "unknown"))
    found = shown(hostile(text, "unknown"))
    assert found.tags == plain.tags
    assert all(character.isprintable() or character == "\n" for character in found.text)
    assert len(found.text) < 12_000
    if text.isprintable() and len(text) < 100:
        assert text in found.text


def test_journal_name_is_escaped() -> None:
    """The journal's name is escaped in the title and on the page."""
    found = Page(render_page(Held([]), "</title><script>\u202e", NOW))
    assert not found.having("script")
    assert found.texts["title"] == [r"Order tracking: </title><script>\u202e"]


def test_right_to_left_texts_are_isolated() -> None:
    """Right-to-left texts are isolated, so that the text around them keeps its direction."""
    arabic = "\u0645\u0631\u062d\u0628\u0627"
    found = shown(entry(1, "unknown", event=TrackingEvent("2026-10-05", arabic, arabic, ""), reason=arabic))
    assert found.texts["bdi"].count(arabic) == 2
    assert f"2026-10-05, {arabic}" in found.texts["bdi"]


def test_memory_does_not_grow_with_the_entries() -> None:
    """The summary of 20,000 entries keeps only counts and the entries that the page lists."""
    long = evolve(entry(1, "refused"), reason="x" * 1000)
    Summary([long])
    tracemalloc.start()
    try:
        summary = Summary(evolve(long, id=number) for number in range(20_000))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert summary.total() == Counter(refused=20_000)
    assert size < MAX_ROWS * 1000
    assert sum(Summary(repeat(long, 3)).total().values()) == 3
