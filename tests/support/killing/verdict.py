"""What a trial has come to: the orders' true record and the journal, held against the file. Pure."""

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

#: An event, or the delivery.
Told = TrackingEvent | None


@define
class Verdict:
    """How many events and deliveries there were of each kind, and which promises were broken.

    Attributes:
        states: Entries of the journal in each state.
        duplicates: What stands on an order more than once.
        lost: What the journal calls applied and the order does not have, or what the journal does not know.
        wrong: What the journal calls refused, or waiting to be sent, and the order has.
        foreign: What stands on an order and is not in the file.
        disordered: Packages whose events stand in another order than in the file.
        overlooked: What the journal calls unknown and the order has; allowed, but reading it should settle it.
        missing: Entries that are unknown and that the order does not have, for a person to settle, by their numbers.
        broken: Each broken promise, in words.
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


def truth_of(oms: Oms, keys: Iterable[Key]) -> dict[Key, list[Told]]:
    """Return what was truly recorded for each package, oldest first, the delivery in its place."""
    found: dict[Key, list[Told]] = {}
    for order_id, invoice_number in keys:
        order = oms.orders.get(order_id)
        package = order.packages.get(invoice_number) if order else None
        told: list[Told] = []
        for change in package.changes if package else ():
            told += [TrackingEvent(**event) for event in change.events]
            told += [None] * change.delivered
        found[order_id, invoice_number] = told
    return found


def judge(
    content: Content, truth: Mapping[Key, list[Told]], entries: Iterable[Entry], *, is_over: bool = True
) -> Verdict:
    """Hold everything against everything.

    An event of the file must be applied, and stand on its order once; or be refused, and not stand there; or be unknown
    or in flight; or wait behind one that is unknown or in flight. Nothing else may stand there, and what does in the
    file's order.

    Args:
        content: What was to be sent.
        truth: See :func:`truth_of`.
        entries: The journal's.
        is_over: Whether the last run ended by itself. After a kill anything may wait, or not be in the journal yet.
    """
    verdict = Verdict()
    journal: dict[Key, dict[Told, Entry]] = {key: {} for key in content.fates}
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
    expected: list[Told],
    recorded: list[Told],
    journal: Mapping[Told, Entry],
    *,
    is_over: bool,
) -> None:
    def complain(told: Told, what: str) -> None:
        verdict.broken.append(f"order {key[0]}, invoice {key[1]}, {told or 'the delivery'}: {what}")

    counts = Counter(recorded)
    is_held = any(entry.state in {"unknown", "in_flight"} for entry in journal.values())
    for told in counts.keys() - set(expected):
        verdict.foreign += 1
        complain(told, "on the order, not in the file")
    positions = [expected.index(told) for told in recorded if told in expected]
    if positions != sorted(positions):
        verdict.disordered += 1
        complain(recorded[-1], "the events are in another order than in the file")
    for told in expected:
        count, entry = counts[told], journal.get(told)
        if count > 1:
            verdict.duplicates += 1
            complain(told, f"{count} times on the order")
        if entry is None:
            if is_over or count:
                verdict.lost += 1
                complain(told, "not in the journal")
        elif entry.state in {"unknown", "in_flight"}:
            verdict.overlooked += bool(count)
            verdict.missing += [] if count else [entry.id]
        elif entry.state == "applied" and not count:
            verdict.lost += 1
            complain(told, f"entry {entry.id} is applied, and not on the order")
        elif entry.state != "applied" and count:
            verdict.wrong += 1
            complain(told, f"entry {entry.id} is {entry.state}, and on the order")
        elif entry.state == "pending" and is_over and not is_held:
            verdict.lost += 1
            complain(told, f"entry {entry.id} waits, and nothing holds it")
