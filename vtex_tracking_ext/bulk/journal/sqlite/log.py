"""SQLite's write-ahead log, as far as it shows that committed transactions were lost. Pure.

SQLite reads a log up to the first frame whose checksum is wrong and ignores what comes after it, because a process that
was killed leaves such a frame at the end. A bit that flipped in the middle looks the same to it: entries that were sent
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
    """What a log contains.

    Attributes:
        commits: How many transactions SQLite reads from it.
        has_lost_commits: Whether it contains committed transactions that SQLite would ignore.
        application_id: The application id that the last of them left in the header, or None if none changed it.
    """

    commits: int = 0
    has_lost_commits: bool = False
    application_id: int | None = None


def read_log(log: bytes, page_size: int) -> Log:
    """Return what a log contains that no process writes to.

    Frames of an earlier use of the log, which is overwritten from its start, have other salts. A last transaction that
    lost power while it was written is not committed, but cannot be told from a damaged one if its last frame is there:
    it counts as lost.
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
