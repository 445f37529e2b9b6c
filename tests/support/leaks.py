"""Find credentials in what a crash reporter shows of an error: messages, notes, and the local variables of its frames.

Errors are also raised at each line of a function, as Ctrl-C or a signal handler may do.
"""

from __future__ import annotations

import base64
import itertools
import sys
import threading
import traceback
from types import FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TESTS = f"{ROOT / 'tests'}/"
PACKAGE = f"{ROOT / 'vtex_tracking_ext'}/"


def forms(*secrets: str) -> set[str]:
    """Return the forms in which a secret may be shown, in lower case."""
    encoded = [base64.b64encode(each.encode()).decode().rstrip("=") for each in secrets]
    return {form.lower() for each in secrets for form in (each, quote(each, safe=""))} | set(map(str.lower, encoded))


def leaks(error: BaseException, secrets: set[str]) -> list[str]:
    """Return where an error, or an error in its chain, shows one of the secrets."""
    found = []
    for each in chain(error):
        for place, text in shown(each):
            found += [f"{place}: {text[:300]}" for secret in secrets if secret in text.lower()]
    return found


def chain(error: BaseException) -> list[BaseException]:
    """Return an error, its causes and contexts, suppressed ones included, and the members of groups."""
    found: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or any(each is known for known in found):
            continue
        found.append(each)
        pending += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    return found


def shown(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield all texts by which one error is shown, except those of the tests' own frames."""
    name = type(error).__name__
    yield name, f"{error} {error!r} {error.args!r} {vars(error)}"
    for frame, line in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.startswith(TESTS):
            place = f"{name}, {frame.f_code.co_filename}:{line}, {frame.f_code.co_name}"
            for variable, value in frame.f_locals.items():
                for text in texts_of(value):
                    yield f"{place}, {variable}", text


def texts_of(value: object) -> Iterator[str]:
    """Yield the repr of a value, and those of its elements and attributes, one level down."""
    yield _repr(value)
    if isinstance(value, dict):
        yield from map(_repr, value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from map(_repr, value)
        for each in value:
            yield from map(_repr, attributes(each))
    yield from map(_repr, attributes(value))


def attributes(value: object) -> Iterable[object]:
    """Return the values of an object's attributes and slots."""
    if isinstance(value, type | ModuleType | FunctionType | FrameType):
        return []
    slots = itertools.chain.from_iterable(getattr(kind, "__slots__", ()) for kind in type(value).__mro__)
    return [*getattr(value, "__dict__", {}).values(), *(getattr(value, name, None) for name in slots)]


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - of another library's object, whose constructor was interrupted
        return ""


class Interrupter:
    """Raises an error at one line of a call.

    Args:
        line: Number of the line among those that are executed in the folders, from 1.
        error: The error.
        folders: Beginnings of the names of files.

    Attributes:
        lines: The executed lines so far.
    """

    def __init__(self, line: int, error: BaseException, *folders: str) -> None:
        self.lines = 0
        self._line = line
        self._error = error
        self._folders = folders

    def __enter__(self) -> Self:
        self._previous = sys.gettrace(), threading.gettrace()
        threading.settrace(self._trace_thread)
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._previous[0])
        threading.settrace(self._previous[1])

    def _trace_thread(self, frame: FrameType, event: str, argument: object) -> Any:
        """Interrupt the libraries in our threads; a call would wait for an interrupted thread until its deadline."""
        is_ours = threading.current_thread().name.startswith("vtex-tracking")
        return (
            self._trace(frame, event, argument)
            if is_ours and not frame.f_code.co_filename.startswith(PACKAGE)
            else None
        )

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(self._folders) or name.endswith("pool.py"):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self._line:
                sys.settrace(None)
                raise self._error
        return self._trace


def interrupted(
    call: Callable[[Interrupter], object], *folders: str, first: int = 1, step: int = 1
) -> Iterator[BaseException]:
    """Repeat a call, interrupted at another line each time, and yield its errors, until that line is not reached."""
    for line in itertools.count(first, step):
        interrupter = Interrupter(line, KeyboardInterrupt(), *(folders or (PACKAGE,)))
        try:
            call(interrupter)
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            yield error
        if interrupter.lines < line:
            return
