"""Selecting many records with few statements."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from vtex_tracking_ext.bulk.journal.sqlite.add_rows import MAX_PARAMETERS, select_many


def test_more_values_are_selected_than_one_statement_accepts() -> None:
    """This holds for values and for rows of values; values without a record are ignored."""
    number = 2 * MAX_PARAMETERS + 1
    statements: list[str] = []
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a, b)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, n % 3) for n in range(number)])
        connection.set_trace_callback(statements.append)
        assert select_many(connection, "SELECT a FROM t WHERE a IN ({})", range(-1, number)) == [
            (n,) for n in range(number)
        ]
        assert len(statements) == 3
        pairs = "WITH w (a, b) AS (VALUES {}) SELECT t.a FROM w CROSS JOIN t USING (a, b)"
        wanted = [(n, 0) for n in range(0, number, 2)]
        assert select_many(connection, pairs, wanted) == [(n,) for n in range(0, number, 6)]
        assert select_many(connection, pairs, []) == []
