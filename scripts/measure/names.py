"""Names of the subjects and programs, as in the results, the charts and the subjects' processes."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["sync", "async"]

OURS: Final = "this package"
FAST: Final = "this package, with httptools"
BARE: Final = "openapi-python-client"
HTTPX: Final = "httpx"
AIOHTTP: Final = "aiohttp"
URLLIB3: Final = "urllib3"
GENERATOR: Final = {"sync": "openapi-generator (urllib3)", "async": "openapi-generator (asyncio)"}
VTEXPY: Final = "vtexpy"

#: Kind -> the subjects of that kind.
SUBJECTS: Final[dict[Kind, tuple[str, ...]]] = {
    "sync": (FAST, OURS, BARE, HTTPX, URLLIB3, GENERATOR["sync"], VTEXPY),
    "async": (FAST, OURS, BARE, HTTPX, AIOHTTP, GENERATOR["async"]),
}

#: Kind -> the concurrencies to measure: numbers of threads or tasks.
IN_FLIGHT: Final[dict[Kind, tuple[int, ...]]] = {"sync": (1, 8, 32), "async": (1, 8, 32, 128)}

#: Delay of the delayed server in seconds, and the number of concurrent updates.
DELAY: Final = 0.05
DISTANT_IN_FLIGHT: Final = 128

#: Names of the started programs that are not subjects.
PYTHON: Final = "bare Python"
HELP: Final = "vtex-tracking --help"
