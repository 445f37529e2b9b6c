"""The settings of a session, which override those of its server, database, role and URL. Pure.

They are set by a statement, not by libpq's ``options``: poolers refuse options, and a URL may have its own. They are
set even if they have the right value already: otherwise ``ALTER SYSTEM`` could change them in a running session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: All settings of PostgreSQL's "Client Connection Defaults" and "Version and Platform Compatibility" that change what
#: statements and values mean, or whether a statement can succeed. These need not be set:
#:
#: - ``client_encoding`` is a parameter of the connection. ``default_transaction_read_only`` is respected, and reported.
#: - ``role``, ``default_tablespace`` and ``default_table_access_method`` say who owns tables, and where they are.
#: - ``quote_all_identifiers``, ``check_function_bodies``, ``temp_tablespaces``, ``xmlbinary``, ``xmloption``, text
#:   search and the locale of numbers, money, month names and messages are about what no statement here uses.
#: - Settings that a server lacks are left out: ``transaction_timeout`` came with version 17, ``idle_session_timeout``
#:   with 14, and ``escape_string_warning`` goes with 19.
_SETTINGS: Final[Mapping[str, str]] = {
    # How values are written and read. psycopg reads times as ISO only, and floats as they are written.
    "standard_conforming_strings": "on",
    "escape_string_warning": "off",
    "backslash_quote": "safe_encoding",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "bytea_output": "hex",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    # A policy that hides entries would make them new again: a statement that it affects fails instead.
    "row_security": "off",
    # Statements see what others committed before them, and wait for others' locks: they are short, but there are many.
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "exit_on_error": "off",
    # An idle session may hold a lease. Within a transaction, it is a suspended machine that others wait for.
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "60s",
    # The locks of a lost machine are free within a minute instead of two hours.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # Every statement uses an index, and pages are read in index order. By default PostgreSQL scans whole tables for
    # each page until it has statistics, and it has none while a first file is being added.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_hashagg": "off",
    "plan_cache_mode": "force_generic_plan",
}

#: The last two: a commit waits at least for the local disk; and triggers and foreign keys are active, which is set only
#: where they are not, because setting it needs a privilege.
_CONFIGURE: Final = """
    SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS settings(name, value)
        JOIN (SELECT name FROM pg_catalog.pg_settings) AS known USING (name)
    UNION ALL
    SELECT set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false)
    UNION ALL
    SELECT set_config('session_replication_role', 'origin', false)
        WHERE current_setting('session_replication_role') <> 'origin'
"""


def configuration(schema: str) -> tuple[str, tuple[list[str], list[str]]]:
    """Return the statement that configures a session, and its parameters.

    Args:
        schema: The only schema whose tables the session sees without naming it.
    """
    settings = {**_SETTINGS, "search_path": f"{schema}, pg_temp"}
    return _CONFIGURE, ([*settings], [*settings.values()])
