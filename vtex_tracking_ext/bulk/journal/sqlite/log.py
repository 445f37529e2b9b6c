"""Read SQLite's write-ahead log to find committed transactions that SQLite would ignore. Pure.

SQLite reads a log up to the first frame whose checksum is wrong, and ignores the rest, because a process that was
killed leaves such a frame at the end. It treats a flipped bit in the middle in the same way: entries that were sent
would be pending again. The format is at https://sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Final

from attrs import frozen

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")

#: The first four bytes; the last bit says in which byte order the checksums read words.
_MAGIC: Final = 0x377F0682
_VERSION: Final = 3007000

_MASK: Final = 0xFFFFFFFF


@frozen
class Log:
    """The content of a log.

    Attributes:
        commits: How many transactions SQLite reads from it.
        has_lost_commits: Whether it contains committed transactions that SQLite would ignore.
        application_id: The application id after the last of these transactions, or None if the log does not contain it.
    """

    commits: int = 0
    has_lost_commits: bool = False
    application_id: int | None = None


def read_log(log: bytes, page_size: int) -> Log:
    """Return the content of a log to which no process writes.

    SQLite overwrites a log from its start; frames of its earlier use have other salts. If the machine lost power during
    a commit, the last frame may be complete and an earlier one not. This cannot be distinguished from damage, and
    counts as a lost transaction.
    """
    if len(log) < _HEADER.size:
        return Log()
    magic, version, size, _, *salts, sum_1, sum_2 = _HEADER.unpack_from(log)
    order = "big" if magic & 1 else "little"
    sums = _checksum(log[:24], (0, 0), order)
    is_valid = (magic & ~1, version, size, (sum_1, sum_2)) == (_MAGIC, _VERSION, page_size, sums)
    commits, application_id, uncommitted_id = 0, None, None
    for start in range(_HEADER.size, len(log) - _FRAME.size - page_size + 1, _FRAME.size + page_size):
        page, committed_size, *frame_salts, frame_sum_1, frame_sum_2 = _FRAME.unpack_from(log, start)
        is_current = any(one == other for one, other in zip(salts, frame_salts, strict=True))
        if is_valid:
            content = memoryview(log)[start + _FRAME.size : start + _FRAME.size + page_size]
            sums = _checksum(content, _checksum(log[start : start + 8], sums, order), order)
            is_valid = bool(page) and salts == frame_salts and sums == (frame_sum_1, frame_sum_2)
            if page == 1:
                uncommitted_id = int.from_bytes(content[68:72])
        if is_valid:
            if committed_size:
                commits, application_id = commits + 1, uncommitted_id
        elif is_current and committed_size:
            return Log(commits, has_lost_commits=True)
    return Log(commits, application_id=application_id)


def _checksum(content: bytes | memoryview, sums: tuple[int, int], order: str) -> tuple[int, int]:
    words = array("I", bytes(content))
    if order != sys.byteorder:
        words.byteswap()
    one, other = sums
    numbers = iter(words)
    for first, second in zip(numbers, numbers, strict=True):
        one = (one + first + other) & _MASK
        other = (other + second + one) & _MASK
    return one, other
