"""The journal in a PostgreSQL database: many runs, on many machines, write to it at once.

Two connections of one run are told apart by what they hold: who works on a package alone has an advisory lock of its
session, and everything that thread does goes through that session (:mod:`.connections`). Rows are added by one at a
time (:mod:`.adding`); everything else locks the rows that it changes, in the order of their numbers.

It needs a connection that stays the same one: PostgreSQL itself, or a pooler in session mode.
"""

from vtex_tracking_ext.errors import ConfigurationError

try:
    from .address import parse_url
    from .journal import PostgresJournal
    from .reader import PostgresReader
except ImportError as error:
    # psycopg also raises it, without a name, where its C library is missing.
    raise ConfigurationError(
        f"A journal on PostgreSQL needs an extra ({error.name or 'libpq'} is missing): "
        "pip install 'vtex-tracking[postgres]'."
    ) from None

__all__ = ["PostgresJournal", "PostgresReader", "parse_url"]
