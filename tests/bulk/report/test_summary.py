"""Tests of what a page shows of a journal, and of the verdict on it."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from collections import Counter
from itertools import repeat
from typing import Any

import pytest
from attrs import evolve

from vtex_tracking_ext.bulk.journal.entries import AccountRecord, PackageKey, Selection
from vtex_tracking_ext.bulk.report import summary as module
from vtex_tracking_ext.bulk.report.filters import EVERYTHING, EntryFilter
from vtex_tracking_ext.bulk.report.summary import PackageCount, Report, Summary, read_report
from vtex_tracking_ext.bulk.report.verdict import Verdict, percent, verdict_of

from support.entries import ADDED, entry
from support.reported import FakeJournal

NOW = dt.datetime(2026, 11, 24, 8, 30, tzinfo=dt.UTC)
OTHER = PackageKey("other", "o-02", "2")


def account(name: str = "mystore", **known: Any) -> AccountRecord:
    """Return what is known of an account."""
    return AccountRecord(name, 1, NOW, **known)


def stopped(name: str, reason: str) -> AccountRecord:
    """Return what is known of a stopped account."""
    return account(name, stopped=ADDED, stopped_reason=reason)


def read(*entries: Any, chosen: EntryFilter = EVERYTHING, **journal: Any) -> Report:
    """Return the report of a journal."""
    return read_report(FakeJournal(entries, **journal), NOW, chosen)


def judged(*entries: Any, chosen: EntryFilter = EVERYTHING, **journal: Any) -> Verdict:
    """Return the verdict on a journal."""
    report = read(*entries, chosen=chosen, **journal)
    return verdict_of(report, is_everything=chosen.is_everything, has_all_states=chosen.has_all_states)


def test_memory_does_not_grow_with_the_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary of 20,000 entries keeps counts, and the latest entries of which the page says something."""
    monkeypatch.setattr(module, "MAX_RECORDS", 1000)
    long = evolve(entry(1, "refused"), reason="x" * 1000)
    Summary([long])
    tracemalloc.start()
    try:
        summary = Summary(evolve(long, id=number) for number in range(20_000))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert summary.total() == Counter(refused=20_000)
    assert size < 1_200_000
    assert [record.number for record in summary.records["refused"]] == [*range(19_000, 20_000)]
    assert sum(Summary(repeat(long, 3)).total().values()) == 3


def test_packages_are_counted_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each package counts once; of too many, only that there are more is known."""
    monkeypatch.setattr(module, "MAX_COUNTED", 3)
    count, texts = PackageCount(), []
    assert not count
    for number in (1, 1, 2, 3, 4, 5):
        count.add(PackageKey("a", str(number), "1"))
        texts.append(str(count))
    assert texts == ["1 package", "1 package", "2 packages", "3 packages", *["more than 3 packages"] * 2]
    assert count
    assert count.exceeds(3)
    assert not count.exceeds(4)


def test_unknown_and_refused_packages_need_a_person() -> None:
    """So does one that a killed process left in flight, but none whose outcome is going to be known."""
    second, third = evolve(OTHER, order_id="second"), evolve(OTHER, order_id="third")
    entries = [entry(1, "refused"), entry(2, "unknown"), entry(3, "unknown", package=OTHER), entry(4, package=second)]
    assert str(read(*entries).summary.needing) == "2 packages"
    resending = account("other", resend_after=60.0)
    report = read(*entries, records=[account(), resending])
    assert str(report.summary.needing) == "1 package"
    end = "is sent again automatically."
    helps = [found.help.endswith(end) for found in report.causes.groups["unknown"]]
    assert helps == [False]
    assert read(entries[2], records=[resending]).causes.groups["unknown"][0].help.endswith(end)
    flying = entry(5, "in_flight", package=third)
    assert str(read(flying).summary.needing) == "1 package"
    assert read(flying).causes.groups["in_flight"][0].entries == 1
    delivered = read(flying, deliverers={"other": "process 1"})
    assert not delivered.summary.needing
    assert delivered.causes.groups == {}


def test_causes_have_commands_with_the_journal() -> None:
    """The commands of a cause name the journal, quoted for a shell, and the account if there are several."""
    report = read(entry(1, "refused", reason="404", status_code=404), records=[account(), account("other")])
    (cause,) = report.causes.groups["refused"]
    option = "--journal '/var/lib/my journal.db'"
    assert [each.text for each in cause.commands] == [
        f"vtex-tracking report --state refused --format csv --output refused.csv --account mystore {option}",
        f"vtex-tracking resolve --dismiss --cause 1 --account mystore {option}",
    ]


def test_what_is_in_no_group_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the latest events are grouped, and only the largest groups are kept; the others are counted."""
    monkeypatch.setattr(module, "MAX_RECORDS", 4)
    monkeypatch.setattr(module, "MAX_GROUPS", 2)
    reasons = ["early", "a", "b", "b", "c"]
    report = read(*(entry(number, "refused", reason=reason) for number, reason in enumerate(reasons)))
    assert [each.entries for each in report.causes.groups["refused"]] == [2, 1]
    assert (report.causes.left_out, report.causes.totals) == ({"refused": 2}, {"refused": 5})
    assert report.causes.groups["refused"][0].example == "b"


def test_accounts_are_those_of_the_selected_entries() -> None:
    """Accounts without entries are listed, unless only some orders, files or times are selected."""
    known: dict[str, Any] = {
        "records": [account(), account("empty"), stopped("other", "403")],
        "deliverers": {"mystore": "process 1"},
    }
    entries = [entry(1, "pending"), entry(2, package=OTHER, not_before=NOW)]

    def names(chosen: EntryFilter) -> list[tuple[str, str]]:
        return [(each.name, each.condition) for each in read(*entries, chosen=chosen, **known).accounts]

    assert names(EVERYTHING) == [("empty", ""), ("mystore", "delivering"), ("other", "stopped")]
    assert names(EntryFilter(Selection(account="other"))) == [("other", "stopped")]
    assert names(EntryFilter(orders=("1172452900788-01",))) == [("mystore", "delivering")]
    assert read(*entries, **known).held.deliveries == 1
    assert read(*entries, chosen=EntryFilter(since=ADDED), **known).held.deliveries == 0


def test_the_reason_of_an_account_is_that_of_its_condition() -> None:
    """A stopped account has the reason of the stop, and a paused one that of the pause, without the call's path."""
    quiet = account("b", quiet_until=NOW + dt.timedelta(minutes=2), quiet_reason="429 \x1b")
    report = read(records=[stopped("a", "403 Forbidden"), quiet, account("c")])
    found = [(each.condition, each.reason, each.remedy) for each in report.accounts]
    assert found[0] == (
        "stopped",
        "403 Forbidden",
        "Grant the key a role with the resource Notify invoice in VTEX's License Manager.",
    )
    assert found[1][:2] == ("paused", r"429 \x1b")
    assert found[2][:2] == ("", "")
    (unknown,) = read(entry(1)).accounts
    assert (unknown.condition, unknown.reason, unknown.remedy) == ("", "", "Fix what the reason says.")


PARKED = [
    (3, "mystore", "correios|BR3|x", 0, "no order is known with BR3", 30),
    (2, "other", "correios|BR2|x", 1, "no order is known with BR2", 20),
    (1, "mystore", "correios|BR1|x", 1, "no order is known with BR1", 10),
]


def test_parked_events_are_in_the_report_of_an_account_or_of_all() -> None:
    """They are grouped, those that were given up apart; a report of some states or orders has none."""
    groups = read(parked=PARKED).causes.groups
    assert {kind: [(each.entries, each.packages) for each in found] for kind, found in groups.items()} == {
        "waiting": [(1, 1)],
        "given_up": [(2, 2)],
    }
    assert groups["given_up"][0].example == "no order is known with BR2"
    one = read(parked=PARKED, chosen=EntryFilter(Selection(account="mystore")))
    assert one.causes.totals == {"given_up": 1, "waiting": 1}
    assert [each.example for each in one.causes.groups["given_up"]] == ["no order is known with BR1"]
    for chosen in (EntryFilter(Selection(("refused",))), EntryFilter(since=ADDED)):
        assert read(parked=PARKED, chosen=chosen).causes.totals == {}


def test_the_verdict_says_how_much_was_applied_and_what_needs_a_person() -> None:
    """Withdrawn entries count neither as applied nor as missing; what needs a person comes first."""
    quiet = account("quiet", quiet_until=NOW + dt.timedelta(minutes=2), quiet_reason="429")
    verdict = judged(
        *(entry(number) for number in range(13)),
        *(entry(number, "pending") for number in range(20, 29)),
        entry(30, "refused"),
        entry(31, "unknown", package=OTHER),
        entry(32, "withdrawn"),
        records=[quiet, stopped("other", "403")],
        parked=PARKED,
    )
    assert verdict == Verdict(
        headline="54 % applied",
        detail="13 of 24 events and deliveries, of 2 packages.",
        needs=(
            "other is stopped: 403, grant Notify invoice",
            "2 packages need you",
            "2 parked events were given up",
        ),
        waits=("quiet is paused", "9 events are pending"),
    )


def test_the_verdict_is_right_in_the_singular() -> None:
    """One package needs, one event was, and one event is."""
    verdict = judged(entry(1, "refused"), entry(2, "pending"), parked=PARKED[2:])
    assert verdict.needs == ("1 package needs you", "1 parked event was given up")
    assert verdict.waits == ("1 event is pending",)


def test_many_accounts_are_counted_not_named() -> None:
    """More than three stopped or paused accounts are counted; a reason without a known remedy is not repeated."""
    records = [
        *(stopped(f"s{number}", "host not found") for number in range(4)),
        *(account(f"q{number}", quiet_until=NOW + dt.timedelta(1), quiet_reason="429") for number in range(4)),
    ]
    verdict = judged(entry(1), records=records)
    assert (verdict.needs, verdict.waits) == (("4 accounts are stopped",), ("4 accounts are paused",))
    assert judged(entry(1), records=records[:1]).needs == ("s0 is stopped",)


@pytest.mark.parametrize(
    ("entries", "chosen", "headline", "detail"),
    [
        ([], EVERYTHING, "Nothing was pushed yet", ""),
        ([], EntryFilter(since=ADDED), "No event matches", ""),
        ([entry(1, "refused")], EntryFilter(Selection(("refused",))), "1 event", "Of 1 package."),
        ([entry(1), entry(2)], EntryFilter(Selection(("applied",))), "2 events", "Of 1 package."),
        ([entry(1, "withdrawn")], EVERYTHING, "Nothing to send", "1 withdrawn, of 1 package."),
        ([entry(1)], EVERYTHING, "100 % applied", "1 of 1 events and deliveries, of 1 package."),
    ],
)
def test_the_headline_of_special_cases(entries: list[Any], chosen: EntryFilter, headline: str, detail: str) -> None:
    """Without entries to send, or with those of some states only, there is no share."""
    verdict = judged(*entries, chosen=chosen)
    assert (verdict.headline, verdict.detail) == (headline, detail)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 1000, "0 %"),
        (1, 1000, "less than 1 %"),
        (10, 1000, "1 %"),
        (999, 1000, "99 %"),
        (1000, 1000, "100 %"),
    ],
)
def test_a_share_is_all_or_nothing_only_if_it_is(part: int, whole: int, text: str) -> None:
    """999 of 1,000 are not 100 %, and one of them is not 0 %."""
    assert percent(part, whole) == text
