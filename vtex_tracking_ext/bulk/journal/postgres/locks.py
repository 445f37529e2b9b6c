"""The numbers of this journal's advisory locks in PostgreSQL. Pure.

Every program on the same database shares one space of 64 bits. The numbers are hashes, which collide with another
program's number with probability 1e-19 each.
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

#: ``writing``: shared by all sessions that may write; a change of the tables needs it exclusively. ``migrating``: held
#: while the tables are changed. ``adding``: held while entries are added, moved or deleted. ``delivering``: held while
#: an account is delivered. ``serving``: shared by the workers.
Purpose: TypeAlias = Literal["writing", "migrating", "adding", "delivering", "serving"]


def lock_number(purpose: Purpose, schema: str, *parts: str) -> int:
    """Return the number of a lock.

    Args:
        purpose: What the lock protects.
        schema: The journal's schema.
        *parts: The account, for ``delivering``.
    """
    text = "".join(f"{len(part)}:{part}" for part in ("vtex_tracking", purpose, schema, *parts))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
