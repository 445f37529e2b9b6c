"""The peak memory of this process."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak() -> float:
    """Return the peak of this process's resident memory, in megabytes of a million bytes.

    On Linux ``ru_maxrss`` may include the parent process before exec; VmHWM does not.
    """
    if _STATUS.exists():
        (kilobytes,) = re.findall(r"VmHWM:\s*([0-9]+) kB", _STATUS.read_text())
        return int(kilobytes) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
