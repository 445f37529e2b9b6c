"""The paces of all accounts in PostgreSQL, timed by its clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeVar

from .slots import SharedPace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vtex_tracking_ext.bulk.journal.postgres.connections import Connections

T = TypeVar("T")

_INSERT: Final = "INSERT INTO paces (account, state) VALUES (%s, '{}') ON CONFLICT DO NOTHING"
_SELECT_FOR_UPDATE: Final = """
    SELECT state, extract(epoch FROM clock_timestamp())::float8 FROM paces WHERE account = %s FOR UPDATE
"""
_UPDATE: Final = "UPDATE paces SET state = %s WHERE account = %s"
_CAN_READ: Final = "SELECT has_table_privilege(to_regclass('paces'), 'SELECT')"
_SELECT_ALL: Final = "SELECT account, state, extract(epoch FROM clock_timestamp())::float8 FROM paces"


class Paces:
    """A :class:`~.pace.PaceStore`. Thread-safe.

    Args:
        connections: The journal's connections.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def update(self, account: str, act: Callable[[SharedPace, float], T]) -> T:
        """Change an account's pace in a transaction; concurrent changes, also on other machines, wait for its end."""
        with self._connections.connection() as connection, connection.transaction():
            found = connection.execute(_SELECT_FOR_UPDATE, (account,)).fetchone()
            if found is None:
                connection.execute(_INSERT, (account,))
                found = connection.execute(_SELECT_FOR_UPDATE, (account,)).fetchone()
            assert found is not None  # noqa: S101 - nothing deletes a row
            state, now = found
            shared = SharedPace.from_json(state)
            result = act(shared, now)
            connection.execute(_UPDATE, (json.dumps(shared.to_json()), account))
            return result

    def all(self) -> Mapping[str, tuple[SharedPace, float]]:
        """Return the pace of each account, with the time; empty if there is no fleet, or this user may not read it."""
        with self._connections.connection() as connection:
            ((may_read,),) = connection.execute(_CAN_READ)
            if not may_read:
                return {}
            return {
                account: (SharedPace.from_json(state), now) for account, state, now in connection.execute(_SELECT_ALL)
            }
