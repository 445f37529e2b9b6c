"""Compare the orders and the journal of a trial with the file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import Factory, define

from vtex_tracking_ext import TrackingEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vtex_tracking_ext.bulk.journal.entries import Entry, State
    from vtex_tracking_ext.sandbox import Oms

    from support.killing.files import Content, Key

#: An event, or None for the delivery.
Recorded = TrackingEvent | None


@define
class Verdict:
    """The number of events and deliveries of each kind, and the broken promises.

    Attributes:
        states: State -> number of journal entries.
        duplicates: Events that are on an order more than once.
        lost: Events that are applied in the journal and not on the order, or not in the journal.
        wrong: Events that are refused or pending in the journal, and on the order.
        foreign: Events that are on an order and not in the file.
        disordered: Packages whose events are in another order than by day and, within a day, in the file.
        overlooked: Events that are unknown in the journal, and on the order; reading the order resolves them.
        missing: Numbers of the entries that are unknown and not on the order, for a person to resolve.
        broken: A description of each broken promise.
    """

    states: Counter[State] = Factory(Counter)
    duplicates: int = 0
    lost: int = 0
    wrong: int = 0
    foreign: int = 0
    disordered: int = 0
    overlooked: int = 0
    missing: list[int] = Factory(list)
    broken: list[str] = Factory(list)

    def __str__(self) -> str:
        states = ", ".join(f"{number} {state}" for state, number in sorted(self.states.items()))
        return (
            f"{states}; {self.duplicates} duplicates, {self.lost} lost, {self.wrong} wrong, {self.foreign} foreign, "
            f"{self.disordered} out of order; {len(self.missing)} missing, {self.overlooked} overlooked"
        )


def truth_of(oms: Oms, keys: Iterable[Key]) -> dict[Key, list[Recorded]]:
    """Return the recorded events of each package in order, with None for the delivery."""
    found: dict[Key, list[Recorded]] = {}
    for order_id, invoice_number in keys:
        order = oms.orders.get(order_id)
        package = order.packages.get(invoice_number) if order else None
        recorded_event: list[Recorded] = []
        for change in package.changes if package else ():
            recorded_event += [TrackingEvent(**event) for event in change.events]
            recorded_event += [None] * change.delivered
        found[order_id, invoice_number] = recorded_event
    return found


def judge(
    content: Content, truth: Mapping[Key, list[Recorded]], entries: Iterable[Entry], *, is_over: bool = True
) -> Verdict:
    """Compare the file, the orders and the journal.

    Each event of the file must be applied, and on its order once; or refused, and not on its order; or unknown or in
    flight; or pending behind an event that is unknown or in flight. An order must have no other events, and must have
    them by day, those of a day in the file's order.

    Args:
        content: The content of the file.
        truth: See :func:`truth_of`.
        entries: The entries of the journal.
        is_over: Whether the last run was not killed. After a kill, any event may be pending or missing in the journal.
    """
    verdict = Verdict()
    journal: dict[Key, dict[Recorded, Entry]] = {key: {} for key in content.fates}
    for entry in entries:
        verdict.states[entry.state] += 1
        of_package = journal[entry.package.order_id, entry.package.invoice_number]
        if entry.event in of_package:
            verdict.broken.append(f"entries {of_package[entry.event].id} and {entry.id} are the same")
        of_package[entry.event] = entry
    for key, expected in content.expected().items():
        _judge_package(verdict, key, expected, truth[key], journal[key], is_over=is_over)
    return verdict


def _judge_package(
    verdict: Verdict,
    key: Key,
    expected: list[Recorded],
    recorded: list[Recorded],
    journal: Mapping[Recorded, Entry],
    *,
    is_over: bool,
) -> None:
    def record_violation(recorded_event: Recorded, what: str) -> None:
        verdict.broken.append(f"order {key[0]}, invoice {key[1]}, {recorded_event or 'the delivery'}: {what}")

    counts = Counter(recorded)
    is_held = any(entry.state in {"unknown", "in_flight"} for entry in journal.values())
    for recorded_event in counts.keys() - set(expected):
        verdict.foreign += 1
        record_violation(recorded_event, "on the order, not in the file")
    positions = [expected.index(recorded_event) for recorded_event in recorded if recorded_event in expected]
    if positions != sorted(positions):
        verdict.disordered += 1
        record_violation(recorded[-1], "the events are in another order than by day")
    for recorded_event in expected:
        count, entry = counts[recorded_event], journal.get(recorded_event)
        if count > 1:
            verdict.duplicates += 1
            record_violation(recorded_event, f"{count} times on the order")
        if entry is None:
            if is_over or count:
                verdict.lost += 1
                record_violation(recorded_event, "not in the journal")
        elif entry.state in {"unknown", "in_flight"}:
            verdict.overlooked += bool(count)
            verdict.missing += [] if count else [entry.id]
        elif entry.state == "applied" and not count:
            verdict.lost += 1
            record_violation(recorded_event, f"entry {entry.id} is applied, and not on the order")
        elif entry.state != "applied" and count:
            verdict.wrong += 1
            record_violation(recorded_event, f"entry {entry.id} is {entry.state}, and on the order")
        elif entry.state == "pending" and is_over and not is_held:
            verdict.lost += 1
            record_violation(recorded_event, f"entry {entry.id} waits, and nothing holds it")
