"""What is measured, by name: the same names in the figures, in the chart and in the subjects' own processes. Pure."""

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

#: Kind -> who can send updates that way.
SUBJECTS: Final[dict[Kind, tuple[str, ...]]] = {
    "sync": (FAST, OURS, BARE, HTTPX, URLLIB3, GENERATOR["sync"], VTEXPY),
    "async": (FAST, OURS, BARE, HTTPX, AIOHTTP, GENERATOR["async"]),
}

#: Kind -> how many updates are in flight: threads or tasks.
IN_FLIGHT: Final[dict[Kind, tuple[int, ...]]] = {"sync": (1, 8, 32), "async": (1, 8, 32, 128)}

#: Seconds that the distant server waits before each answer, and how many updates are on their way to it.
DELAY: Final = 0.05
DISTANT_IN_FLIGHT: Final = 128

#: Names of the starts that stand for no subject.
PYTHON: Final = "bare Python"
HELP: Final = "vtex-tracking --help"
