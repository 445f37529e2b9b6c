"""The command doctor: checks what a push needs, and says what to do about each problem."""

from __future__ import annotations

import json
import platform
from collections import Counter
from importlib import metadata
from typing import TYPE_CHECKING, Final

from attrs import asdict

from vtex_tracking_ext.bulk.journal.interface import NoJournalError
from vtex_tracking_ext.call.order_lookup import invoice_numbers_of
from vtex_tracking_ext.config.profiles import load_profiles
from vtex_tracking_ext.errors import ConfigurationError, NotFoundError, VtexTrackingError
from vtex_tracking_ext.text import visible

from .accounts import make_client, profile_file, read_settings, server_of
from .checks import SERVER_CHECKS, STEP_SECONDS, Check, check_server, not_checked
from .exit_codes import ExitCode
from .journal_location import open_journal_reader
from .output import say, warn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from .checks import Status
    from .terminal import Style


_STYLES: Final[Mapping[Status, Style]] = {"ok": "good", "warning": "doubt", "failed": "bad", "not checked": "soft"}


def doctor(parsed: argparse.Namespace) -> ExitCode:
    """Print the checks as they are made; the status is CONFIGURATION if one failed."""
    checks = []
    for check in _checks(parsed):
        checks.append(check)
        if not parsed.json:
            print_check(check)
    has_failed = any(check.status == "failed" for check in checks)
    if parsed.json:
        document = {"ok": not has_failed, "checks": [asdict(check) for check in checks]}
        is_printed = say(json.dumps(document, indent=2))
    else:
        is_printed = say(summary(checks))
    if not is_printed:
        warn("vtex-tracking doctor: standard output cannot be written.")
    return ExitCode.CONFIGURATION if has_failed else ExitCode.OK if is_printed else ExitCode.INCOMPLETE


def print_check(check: Check) -> None:
    """Print a check, and below it what to do."""
    say(f"{check.status:<11}  {check.name}: {check.detail}", _STYLES[check.status])
    if check.remedy:
        say(f"{'':<11}  {check.remedy}")


def summary(checks: list[Check]) -> str:
    """Return how many checks had which result."""
    counts = Counter(check.status for check in checks)
    return f"{', '.join(f'{number} {status}' for status, number in counts.items())}."


def _checks(parsed: argparse.Namespace) -> Iterator[Check]:
    yield _versions()
    yield _profile_check(parsed)
    yield from _store_checks(parsed)
    yield _journal_check(parsed)


def _versions() -> Check:
    names = ("vtex-tracking", "httpx", "httptools")
    found = ", ".join(f"{name} {_version(name)}" for name in names)
    return Check("versions", "ok", f"{found}, Python {platform.python_version()} on {platform.system()}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _profile_check(parsed: argparse.Namespace) -> Check:
    path = profile_file(parsed)
    if not path.exists():
        return Check("profile file", "ok", f"{path} does not exist; `vtex-tracking init` writes it")
    notes: list[str] = []
    try:
        names = ", ".join(map(visible, load_profiles(path, notes.append))) or "none"
    except ConfigurationError as error:
        return Check("profile file", "failed", str(error))
    if notes:
        return Check("profile file", "warning", notes[0])
    return Check("profile file", "ok", f"{path}; its stores: {names}")


def _store_checks(parsed: argparse.Namespace) -> Iterator[Check]:
    try:
        settings = read_settings(parsed)
        redactor = settings.redactor()  # removes credentials from what is printed, for as long as this function runs
        server = server_of(parsed, settings, redactor)
        yield Check("account", "ok", f"{settings.account}, at {server.base_url}")
        yield from check_server(server, parsed.timeout or STEP_SECONDS, read_only=parsed.read_only)
    except ConfigurationError as error:
        yield Check("settings", "failed", str(error))
        yield from not_checked(SERVER_CHECKS, "the settings cannot be used")
        return
    if parsed.order is not None:
        yield _order_check(parsed)


def _order_check(parsed: argparse.Namespace) -> Check:
    """Read the order that the user named, and return what it shows."""
    name = f"order {visible(parsed.order)}"
    try:
        with make_client(parsed) as client:
            packages = client.get_packages(parsed.order)
    except NotFoundError as error:
        remedy = "Use the order id of the account that fulfils the order, not the marketplace's or another seller's."
        return Check(name, "failed", str(error), remedy)
    except VtexTrackingError as error:
        return Check(name, "failed", str(error))
    invoices = invoice_numbers_of(packages)
    if not invoices:
        return Check(name, "warning", "it has no invoice", "Events can be sent once the order is invoiced.")
    without = [each.invoice_number for each in packages if each.invoice_number in invoices and not each.tracking_number]
    detail = f"its invoices are {', '.join(map(visible, invoices))}"
    if without:
        remedy = "VTEX requires a tracking number before events: see `vtex-tracking set-tracking-number --help`."
        numbers = ", ".join(visible(number or "unknown") for number in without)
        return Check(name, "warning", f"{detail}; without a tracking number: {numbers}", remedy)
    return Check(name, "ok", f"{detail}, each with a tracking number")


def _journal_check(parsed: argparse.Namespace) -> Check:
    try:
        with open_journal_reader(parsed) as journal:
            return Check("journal", "ok", f"{visible(journal.name)} has version {journal.meta().schema_version}")
    except NoJournalError as error:
        return Check("journal", "ok", str(error))
    except VtexTrackingError as error:
        return Check("journal", "failed", str(error))
