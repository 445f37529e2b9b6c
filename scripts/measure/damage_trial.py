"""The trial behind ``scripts/damage_trial``: pushes with copies of journals that are damaged."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from attrs import frozen

from vtex_tracking_ext.bulk import push
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.cli import main

from support.journaled import Account

if TYPE_CHECKING:
    from pathlib import Path

    from vtex_tracking_ext import TrackingUpdate

#: Events of each package, the last one with the delivery.
EVENTS = 5

#: Calls a second.
_RATE = 1e6

#: One thread, so that a copy is made while nothing else happens; a call of each event.
_OPTIONS = DeliveryOptions(concurrency=1, events_per_call=1, recheck_delays=(), resend_after=1e-9)


@frozen
class Stage:
    """A journal as it was when it was copied.

    Attributes:
        name: Its name in messages.
        folder: The folder of its files.
        account: What was applied.
    """

    name: str
    folder: Path
    account: Account


class DamageTrial:
    """Damages copies of journals.

    Args:
        folder: A folder for the journals.
        packages: How many packages they have.
        seed: Seed of the damage.
    """

    def __init__(self, folder: Path, packages: int, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)  # noqa: S311 - reproducible
        self.rows: list[Any] = [
            {
                "order_id": f"{1172452900788 + package}-01",
                "invoice_number": str(package),
                "date": f"2026-11-{event + 1:02}",
                "time": "09:30",
                "description": f"event {event} of {package}",
                "city": "S\u00e3o Paulo",
                "state": "SP",
                "event_id": f"{package}-{event}" if package % 3 == 0 else "",
                "is_delivered": event == EVENTS - 1,
                "delivered_date": f"2026-11-{event + 1:02}" if event == EVENTS - 1 else None,
            }
            for package in range(packages)
            for event in range(EVENTS)
        ]
        self.expected = {
            str(package): [*(f"event {event} of {package}" for event in range(EVENTS)), "D"]
            for package in range(packages)
        }
        self.outcomes: Counter[str] = Counter()
        self.violations: list[str] = []

    def run(self, copies: int) -> int:
        """Run the trial, print the result, and return the exit status."""
        defaults: Any = Pace.__init__.__kwdefaults__
        defaults["initial_rate"] = _RATE  # nothing limits the rate of the fake account
        stages = self.stages()
        for number in range(copies):
            self.try_copy(self.random.choice(stages), self.folder / f"copy{number}")
        for outcome, times in sorted(self.outcomes.items()):
            print(f"{times:5} {outcome}")
        print("\n".join(f"VIOLATED: {text[:200]}" for text in self.violations) or "every promise was kept")
        return 1 if self.violations else 0

    def stages(self) -> list[Stage]:
        """Return journals at several moments: between two pushes, and during a push."""
        folder, account = self.folder / "journal", Account()
        folder.mkdir()
        found: list[Stage] = []

        def copy(name: str) -> None:
            target = self.folder / f"stage{len(found)}"
            shutil.copytree(folder, target)
            found.append(Stage(name, target, copy_of(account)))

        def copy_and_apply(_: TrackingUpdate) -> None:
            copy("during a push")

        calls, half = len(self.rows), len(self.rows) // 2
        for rows in (self.rows[:half], self.rows):
            copied = self.random.sample(range(1, half), 4)
            account.answers(*(copy_and_apply if call in copied else _apply for call in range(calls // 2)))
            push(rows, as_client(account), folder / "journal.db", options=_OPTIONS, rate=_RATE)
            copy("between two pushes")
        return found

    def try_copy(self, stage: Stage, folder: Path) -> None:
        """Damage a copy of a journal, use it, and note the outcome."""
        shutil.copytree(stage.folder, folder)
        journal, account = folder / "journal.db", copy_of(stage.account)
        damage = self.damage(folder)
        name = f"copied {stage.name}, {damage}"
        sent = len(account.sent)
        if self.random.random() < 1 / 2:
            self.read(journal, name)
        try:
            result = push(self.rows, as_client(account), journal, options=_OPTIONS, rate=_RATE)
        except JournalError as error:
            outcome = "refused as damaged"
            if "damaged" not in str(error):
                self.violations.append(f"{name}: {error}")
            if len(account.sent) > sent:
                self.violations.append(f"{name}: {len(account.sent) - sent} calls before: {error}")
        except Exception as error:  # noqa: BLE001 - what the trial looks for
            outcome = "failed"
            self.violations.append(f"{name}: {error!r}")
        else:
            outcome = "completed"
            if result.problems:
                self.violations.append(f"{name}: {result.problems}")
            if account.applied != self.expected and not (result.pending or result.unknown):
                self.violations.append(f"{name}: {self.differences(account)}")
        if any(max(Counter(texts).values()) > 1 for texts in account.applied.values()):
            self.violations.append(f"{name}: sent twice: {self.differences(account)}")
        self.outcomes[f"{outcome}: {name.partition(' at ')[0]}"] += 1
        shutil.rmtree(folder)

    def damage(self, folder: Path) -> str:
        """Damage a journal, and return what was done."""
        log, file = folder / "journal.db-wal", folder / "journal.db"
        kinds = ["bit in file"] * 6 + ["cut"] + (["bit in log"] * 4 + ["no log"] if log.exists() else [])
        kind = self.random.choice(kinds)
        if kind == "no log":
            log.unlink()
            return "without its log"
        target = log if kind == "bit in log" else file
        if kind == "cut":
            size = self.random.randrange(1, target.stat().st_size)
            os.truncate(target, size)
            return f"cut at {size}"
        data = bytearray(target.read_bytes())
        bit = self.random.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        target.write_bytes(data)
        return f"one bit in {target.name} at {bit}"

    def read(self, journal: Path, name: str) -> None:
        """Run the commands that read the journal."""
        for arguments in (["status"], ["report"]):
            out, err = StringIO(), StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                main([*arguments, "--journal", str(journal)])
            if "Traceback" in err.getvalue():
                self.violations.append(f"{name}: {arguments[0]}: {err.getvalue()}")

    def differences(self, account: Account) -> list[Any]:
        """Return the packages whose events differ from what was to be sent."""
        numbers = {*self.expected, *account.applied}
        return [(n, account.applied.get(n)) for n in sorted(numbers) if account.applied.get(n) != self.expected.get(n)]


def copy_of(account: Account) -> Account:
    """Return an account that has applied the same updates."""
    copy = Account()
    for updates in account.updates.values():
        for update in updates:
            copy.apply(update)
    return copy


def as_client(account: Account) -> Any:
    """Return the account for functions that want a client."""
    return account


def _apply(_: TrackingUpdate) -> None:
    pass
