"""Interrupt a call at one of its lines, and check what that leaves behind."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from unittest import mock

import httpcore
import httptools

import vtex_tracking_ext
from vtex_tracking_ext import AsyncTrackingClient, RetryPolicy, TrackingClient, VtexTrackingError
from vtex_tracking_ext.transport import response

from wire.calls import answer, receipt, update
from wire.server import Server, again, apply, read, respond

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

#: Code in these folders is interrupted.
FOLDERS: Final = tuple(str(Path(package.__file__ or "").parent) + os.sep for package in (vtex_tracking_ext, httpcore))

#: Seconds that the call after an interrupted one may take. It takes milliseconds, unless something is lost.
PATIENCE: Final = 3.0


class Way(NamedTuple):
    """How the calls of a campaign are made.

    Attributes:
        asynchronous: Whether the client is the asynchronous one.
        parser: The parser of responses, ``httptools`` or ``h11``.
        warm: Whether there is an idle connection when the interrupted call begins.
    """

    asynchronous: bool
    parser: str
    warm: bool

    def __str__(self) -> str:
        kind, connection = ("async" if self.asynchronous else "sync"), ("idle" if self.warm else "new")
        return f"{kind}, {self.parser}, {connection} connection"


#: Every way of a campaign.
WAYS: Final = tuple(
    Way(asynchronous, parser, warm)
    for asynchronous in (False, True)
    for parser in ("httptools", "h11")
    for warm in (False, True)
)


class LineInterrupt:
    """Raises an exception at the n-th line that a ``with`` block reaches, and perhaps at a later one.

    Args:
        at: Numbers of the lines, from 1.
        kind: The exception.

    Attributes:
        lines: How many lines were reached.
        places: File and line number of each interrupt.
    """

    def __init__(self, at: tuple[int, ...], kind: type[BaseException]) -> None:
        self._at = at
        self._kind = kind
        self._before: Any = None
        self.lines = 0
        self.places: list[str] = []

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._trace_call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace_call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        return self._trace_line if frame.f_code.co_filename.startswith(FOLDERS) else None

    def _trace_line(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            self.lines += 1
            if self.lines in self._at:
                self.places.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
                raise self._kind
        return self._trace_line


@contextmanager
def answering_server() -> Iterator[Server]:
    """Run a server that applies updates and answers each with a receipt for its order."""
    with Server([again(read, apply, respond(lambda each: answer(200, receipt(each.order_id))))]) as server:
        yield server


class Trial:
    """Interrupts calls of clients that may have one connection each, so that a lost connection shows in the next call.

    Args:
        server: The server, see :func:`answering_server`.
        way: How the calls are made.
        kind: The exception that interrupts them.

    Attributes:
        violations: What was wrong, in one line each.
        lines: Number of lines of the call that was interrupted last.
    """

    def __init__(self, server: Server, way: Way, kind: type[BaseException] = KeyboardInterrupt) -> None:
        self.server = server
        self.way = way
        self.kind = kind
        self.violations: list[str] = []
        self.lines = 0

    def interrupt(self, *at: int) -> bool:
        """Interrupt one call at lines, and return whether it reached them.

        The exception is kept until the end, with all that its traceback refers to.
        """
        name = "-".join(map(str, at))
        parser = None if self.way.parser == "h11" else httptools
        kind: Any = AsyncTrackingClient if self.way.asynchronous else TrackingClient
        interrupt = LineInterrupt(at, self.kind)
        with mock.patch.object(response, "httptools", parser), asyncio.Runner() as runner:
            client = kind(
                "mystore",
                user_token="MADEUP",
                base_url=self.server.url,
                timeout=PATIENCE,
                max_connections=1,
                retry=RetryPolicy(attempts=1),
            )
            call = functools.partial(self._call, runner, client)
            if self.way.warm:
                call("first-01")
            held: BaseException | None = None
            wrong: list[str] = []
            try:
                with interrupt:
                    if call(f"in-{name}-01") is not None or interrupt.places:
                        wrong.append("the interrupt was swallowed")
            except BaseException as error:  # noqa: BLE001 - of another type, it is wrong
                held = error
                if type(error) is not self.kind:
                    wrong.append(f"the interrupted call raised {error!r}")
            self.lines = interrupt.lines
            if self.way.asynchronous:
                runner.run(cancel_others())
            try:
                if (unusual := call(f"next-{name}-01")) is not None:
                    wrong.append(f"the next receipt is {unusual}")
            except VtexTrackingError as error:
                wrong.append(f"the next call raised {error!r}")
            wrong += self._wait(1)
            closed = client.close()
            if self.way.asynchronous:
                runner.run(closed)
                runner.run(asyncio.sleep(0))
            wrong += self._wait(0)
            del held
        sent = [request.order_id for request in self.server.requests].count(f"in-{name}-01")
        if sent > 1:
            wrong.append(f"the interrupted update was sent {sent} times")
        where = " and ".join(interrupt.places)
        self.violations += [f"{self.way}, interrupted at {where or 'no line'}: {text}" for text in wrong]
        return len(interrupt.places) == len(at)

    def _call(self, runner: asyncio.Runner, client: Any, order_id: str) -> object:
        """Send an update, and return its receipt unless it is as it should be."""
        sent = client.send(update(order_id))
        got = runner.run(sent) if self.way.asynchronous else sent
        return None if (got.order_id, got.note) == (order_id, None) else got

    def _wait(self, most: int) -> list[str]:
        """Return what is wrong if more connections than this stay open."""
        try:
            self.server.wait_until(lambda each: each.open <= most, PATIENCE)
        except AssertionError:
            return [f"{self.server.open} connections are open instead of {most}"]
        return []


async def cancel_others(*kept: asyncio.Task[Any]) -> None:
    """Cancel the tasks that an interrupt of the event loop left, as ``asyncio.run`` does at its end.

    Args:
        kept: Tasks that are waited for instead.
    """
    others = asyncio.all_tasks() - {asyncio.current_task(), *kept}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, *kept, return_exceptions=True)
