"""Measure cold starts: the duration of whole processes, each program once per round."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .call_costs import in_turn
from .cpu_affinity import pinned_to
from .names import AIOHTTP, BARE, FAST, GENERATOR, HELP, HTTPX, OURS, PYTHON, URLLIB3, VTEXPY
from .subject_process import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .effort import Effort

_WITHOUT_HTTPTOOLS = "import sys; sys.modules['httptools'] = None"
_OWN_CLIENT = "TrackingClient('bench', app_key='vtexappkey-bench-ABCDEF', app_token='ABCDEFGH' * 10)"


class Program(NamedTuple):
    """A program whose start is measured.

    Attributes:
        name: The subject.
        step: ``import``, ``construct`` (which includes the import), or empty.
        command: The command.
    """

    name: str
    step: str
    command: tuple[str, ...]


def programs() -> Iterator[Program]:
    """Yield the programs of each round; bare Python, which every duration includes, is the first."""

    def python(code: str) -> tuple[str, ...]:
        return (sys.executable, "-c", code)

    yield Program(PYTHON, "", python("pass"))
    yield Program(HELP, "", (str(Path(sys.executable).with_name("vtex-tracking")), "--help"))
    own = f"from vtex_tracking_ext import TrackingClient; {_OWN_CLIENT}"
    bare = "from vtex_oms_client import Client"
    aio = "import aiohttp"
    session = "import asyncio\nasync def main():\n    async with aiohttp.ClientSession(): pass\nasyncio.run(main())"
    vtexpy = "import vtex"
    config = "vtex.VTEXConfig(account_name='bench', app_key='vtexappkey-bench-ABCDEF', app_token='ABCDEFGH' * 10)"
    for name, load, construct in (
        (FAST, "import vtex_tracking_ext", own),
        (OURS, f"{_WITHOUT_HTTPTOOLS}; import vtex_tracking_ext", f"{_WITHOUT_HTTPTOOLS}; {own}"),
        (BARE, bare, f"{bare}; Client(base_url='https://bench.vtexcommercestable.com.br').get_httpx_client()"),
        (HTTPX, "import httpx", "import httpx; httpx.Client()"),
        (URLLIB3, "import urllib3", "import urllib3; urllib3.PoolManager()"),
        (GENERATOR["sync"], "import oag_urllib3 as oag; oag.TrackingApi", _GENERATED),
        (AIOHTTP, aio, f"{aio}\n{session}"),
        (GENERATOR["async"], "import oag_asyncio as oag; oag.TrackingApi", _GENERATED_ASYNC),
        (VTEXPY, vtexpy, f"{vtexpy}; vtex.VTEX({config}).custom"),
    ):
        yield Program(name, "import", python(load))
        yield Program(name, "construct", python(construct))


#: The generated clients connect at the first call, but load the certificates here, as httpx does.
_GENERATED = "import oag_urllib3 as oag; oag.TrackingApi(oag.ApiClient(oag.Configuration()))"
_GENERATED_ASYNC = (
    "import asyncio, oag_asyncio as oag\n"
    "async def main():\n"
    "    async with oag.ApiClient(oag.Configuration()) as client: oag.TrackingApi(client)\n"
    "asyncio.run(main())"
)


def starts(core: int | None, peers: Path, effort: Effort) -> dict[str, Any]:
    """Start each program in each round, and return the duration of each process in milliseconds."""
    runnable: list[tuple[Program, list[float]]] = []
    missing: dict[str, str] = {}
    for program in programs():
        failure = _start(program, core, peers)[1]  # the first start compiles modules and fills the disk cache
        if failure is not None:
            missing[f"start of {program.name} ({program.step or 'run'})"] = failure
            continue
        runnable.append((program, []))
    for round_ in range(effort.start_rounds):
        for program, samples in in_turn(runnable, round_):
            samples.append(round(_start(program, core, peers)[0], 2))
    found = [{"name": one.name, "step": one.step, "milliseconds": samples} for one, samples in runnable]
    return {"starts": found, "missing": missing}


def _start(program: Program, core: int | None, peers: Path) -> tuple[float, str | None]:
    """Run a program; return the milliseconds, and the error message if it failed."""
    # Only the generated clients need the peers' folder.
    variables = environment(peers if program.name in GENERATOR.values() else None)
    with pinned_to(core):
        began = time.perf_counter()
        done = subprocess.run(
            program.command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=variables, cwd="/"
        )
        took = (time.perf_counter() - began) * 1000
    if done.returncode:
        return took, (done.stderr.decode(errors="replace").strip().splitlines() or ["it failed without a message"])[-1]
    return took, None
