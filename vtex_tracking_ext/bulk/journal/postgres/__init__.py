"""The journal in a PostgreSQL database: many runs, on many machines, can write to it at the same time.

An account is delivered under a session's advisory lock (:mod:`.lease`). One session at a time adds rows.

Sessions must be real: connect to PostgreSQL itself, or to a pooler in session mode.
"""

from vtex_tracking_ext.errors import ConfigurationError

try:
    from .address import parse_url
    from .journal import PostgresJournal
    from .reader import PostgresReader
except ImportError as error:
    # psycopg raises it without a name if its C library is missing.
    raise ConfigurationError(
        f"A journal on PostgreSQL needs an extra ({error.name or 'libpq'} is missing): "
        "pip install 'vtex-tracking[postgres]'."
    ) from None

__all__ = ["PostgresJournal", "PostgresReader", "parse_url"]
