"""The numbers under which PostgreSQL keeps this journal's advisory locks. Pure.

They share one space of 64 bits with those of every other program on the same database; so they are hashes, which meet
a number of somebody else's by chance with a likelihood of 1e-19 for each.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.entries import PackageKey


def writing_lock(schema: str) -> int:
    """Return the lock that every session which may write shares, and that a change of the tables has alone."""
    return _number("writing", schema)


def adding_lock(schema: str) -> int:
    """Return the lock of whoever adds rows."""
    return _number("adding", schema)


def package_lock(schema: str, package: PackageKey) -> int:
    """Return the lock of whoever works on a package alone."""
    return _number("package", schema, package.account, package.order_id, package.invoice_number)


def _number(*parts: str) -> int:
    text = "".join(f"{len(part)}:{part}" for part in ("vtex_tracking", *parts))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
