"""The paces of all accounts in PostgreSQL, by its clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeVar

from .slots import SharedPace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vtex_tracking_ext.bulk.journal.postgres.connections import Connections

T = TypeVar("T")

_MAKE: Final = "INSERT INTO paces (account, state) VALUES (%s, '{}') ON CONFLICT DO NOTHING"
_TAKE: Final = """
    SELECT state, extract(epoch FROM clock_timestamp())::float8 FROM paces WHERE account = %s FOR UPDATE
"""
_KEEP: Final = "UPDATE paces SET state = %s WHERE account = %s"
_MAY_READ: Final = "SELECT has_table_privilege(to_regclass('paces'), 'SELECT')"
_ALL: Final = "SELECT account, state, extract(epoch FROM clock_timestamp())::float8 FROM paces"


class Paces:
    """A :class:`~.pace.PaceStore`. Thread-safe.

    Args:
        connections: Of the journal.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def change(self, account: str, act: Callable[[SharedPace, float], T]) -> T:
        """Change an account's pace; whoever comes meanwhile, on whatever machine, waits for the end of it."""
        with self._connections.connection() as connection, connection.transaction():
            found = connection.execute(_TAKE, (account,)).fetchone()
            if found is None:
                connection.execute(_MAKE, (account,))
                found = connection.execute(_TAKE, (account,)).fetchone()
            assert found is not None  # noqa: S101 - nothing deletes one
            state, now = found
            shared = SharedPace.from_json(state)
            result = act(shared, now)
            connection.execute(_KEEP, (json.dumps(shared.to_json()), account))
            return result

    def all(self) -> Mapping[str, tuple[SharedPace, float]]:
        """Return the pace of each account, and the time; none where there is no fleet, or this user may not look."""
        with self._connections.connection() as connection:
            ((may_read,),) = connection.execute(_MAY_READ)
            if not may_read:
                return {}
            return {account: (SharedPace.from_json(state), now) for account, state, now in connection.execute(_ALL)}
