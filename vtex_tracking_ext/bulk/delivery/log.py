"""Log what a delivery reports, one line for each outcome and pause."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from vtex_tracking_ext.text import REASON_LENGTH, visible

from .calls import AccountPause

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.entries import PackageKey

    from .calls import DeliveryResult


def log_result(logger: logging.Logger, result: DeliveryResult | AccountPause) -> None:
    """Log an outcome, with its package and attempt, or a pause. What is applied is information, the rest a warning."""
    reason = visible(result.reason, REASON_LENGTH)
    if isinstance(result, AccountPause):
        extra = {"account": result.account}
        logger.warning("%s: paused for %.0f s: %s", result.account, result.seconds, reason, extra=extra)
        return
    package = result.entries[0].package
    attempt = max(entry.attempts for entry in result.entries) + result.is_call
    what = f"{len(result.entries)} {result.outcome}, attempt {attempt}{reason and f': {reason}'}"
    level = logging.INFO if result.outcome == "applied" else logging.WARNING
    extra = {
        "account": package.account,
        "order_id": package.order_id,
        "invoice_number": package.invoice_number,
        "outcome": result.outcome,
    }
    logger.log(level, "%s: %s", package_name(package), what, extra=extra)


def package_name(package: PackageKey) -> str:
    """Return the name of a package in the log."""
    return f"{package.account}, order {package.order_id}, invoice {package.invoice_number}"
