"""Tests of reading a write-ahead log: it has all that was committed, or it shows that something was lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from vtex_tracking_ext.bulk.journal.sqlite.log import Log, read_log

PAGE = 512
FRAME = 24 + PAGE


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the log of four transactions, which overwrote an earlier and longer one, and of one that did not end."""
    path = tmp_path_factory.mktemp("log") / "t.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA page_size = {PAGE}; PRAGMA journal_mode = WAL; PRAGMA cache_size = 1;")
        connection.execute("CREATE TABLE t (a)")
        for _ in range(9):
            connection.execute("INSERT INTO t VALUES (randomblob(400))")
        connection.execute("PRAGMA wal_checkpoint")
        for _ in range(4):
            connection.execute("INSERT INTO t VALUES (randomblob(400))")
        connection.execute("BEGIN")
        for _ in range(4):
            connection.execute("INSERT INTO t VALUES (randomblob(400))")
        return Path(f"{path}-wal").read_bytes()


@pytest.fixture(scope="module")
def used(log: bytes) -> int:
    """Return the length of the committed part of the log."""
    ends = range(32, len(log) + 1, FRAME)
    return next(end for end in ends if read_log(log[:end], PAGE).commits == 4)


def counts(log: bytes) -> tuple[int, bool]:
    """Return how many transactions a log has, and whether some are lost."""
    found = read_log(log, PAGE)
    return found.commits, found.has_lost_commits


def test_committed_transactions_are_counted(log: bytes, used: int) -> None:
    """What an earlier use of the log left behind, and what was not committed, is ignored."""
    assert counts(log) == (4, False)
    assert len(log) > used + FRAME


def test_flipped_bit_in_a_committed_transaction_is_found(log: bytes, used: int) -> None:
    """A bit that flipped anywhere, in the header, in a frame or in a page, is found."""
    for at in range(0, used, 37):
        damaged = bytearray(log)
        damaged[at] ^= 1 << at % 8
        assert read_log(bytes(damaged), PAGE).has_lost_commits, at


def test_flipped_bit_behind_them_loses_nothing(log: bytes, used: int) -> None:
    """A bit that flipped in a transaction that was not committed, or in what is left of an earlier use, is ignored."""
    for at in range(used + 8, len(log), 37):
        if (at - 32) % FRAME in range(4, 8):  # the size of the database, which only the last frame of each has
            continue
        damaged = bytearray(log)
        damaged[at] ^= 1 << at % 8
        assert counts(bytes(damaged)) == (4, False), at


def test_log_that_ends_early_has_fewer_transactions(log: bytes, used: int) -> None:
    """A process that was killed leaves such a log, so a log that was cut cannot be told from it."""
    assert read_log(b"", PAGE) == read_log(log[:31], PAGE) == read_log(log[:100], PAGE) == Log()
    assert counts(log[: used - 1]) == (3, False)


@pytest.mark.parametrize(("magic", "order"), [(0x377F0682, "little"), (0x377F0683, "big")])
def test_log_of_a_machine_with_another_byte_order_can_be_read(magic: int, order: Literal["little", "big"]) -> None:
    """The header says in which byte order the checksums were computed."""
    words = [magic, 3007000, PAGE, 0, 1, 2]
    header = b"".join(word.to_bytes(4) for word in words)
    one = other = 0
    for at in range(0, 24, 8):
        one = (one + int.from_bytes(header[at : at + 4], order) + other) & 0xFFFFFFFF
        other = (other + int.from_bytes(header[at + 4 : at + 8], order) + one) & 0xFFFFFFFF
    frame = b"".join(word.to_bytes(4) for word in (1, 1, 1, 2))
    page = bytes(range(256)) * 2
    content, sums = frame[:8] + page, (one, other)
    for at in range(0, len(content), 8):
        one = (one + int.from_bytes(content[at : at + 4], order) + other) & 0xFFFFFFFF
        other = (other + int.from_bytes(content[at + 4 : at + 8], order) + one) & 0xFFFFFFFF
    log = header + sums[0].to_bytes(4) + sums[1].to_bytes(4) + frame + one.to_bytes(4) + other.to_bytes(4) + page
    assert counts(log) == (1, False)
