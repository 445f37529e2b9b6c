"""Keep credentials out of local variables, which crash reporters, rich and pytest show with a traceback."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, NoReturn, Self

from vtex_tracking_ext.errors import VtexTrackingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType


class Secret:
    """A text that ``repr``, ``str``, ``format`` and pickle do not reveal.

    Args:
        value: The text, or a secret. For any other value, ``reveal`` returns no text, which the checks of credentials
            refuse.

    Attributes:
        reveal: Returns the text. It is a bound method of the text, so its repr does not show the text, and calling it
            creates no frame.
    """

    __slots__ = ("reveal",)

    def __init__(self, value: object) -> None:
        self.reveal: Callable[[], object]
        if isinstance(value, Secret):
            self.reveal = value.reveal
        else:
            self.reveal = str.__str__(value).__str__ if isinstance(value, str) else bytes

    def __repr__(self) -> str:
        return "Secret(...)"

    def __format__(self, specification: str) -> str:
        return format(repr(self), specification)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.reveal() == other.reveal()

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A credential cannot be pickled. Read it from its source where it is needed.")


def hidden_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> memoryview:
    """Return headers as lines of HTTP in a memoryview, whose repr does not show them and which sockets accept.

    Raises:
        UnicodeEncodeError: A header is not ASCII.
    """
    return memoryview("".join([f"{name}: {value}\r\n" for name, value in dict(headers).items()]).encode("ascii"))


def revealed_headers(hidden: memoryview) -> list[tuple[str, str]]:
    """Return headers from the result of :func:`hidden_headers`. Call it only within :class:`hidden_frames`."""
    lines = str(hidden, "ascii").splitlines()
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


class hidden_frames:  # noqa: N801 - a context manager, named as a function like those of contextlib
    """Remove frames from the exceptions that leave the block, because credentials are local variables there.

    The frames of the block and of the function that contains it are removed. Errors of this package also lose their
    cause and context, whose messages may quote a credential. Other exceptions keep both, but without their frames, and
    get a note with the removed lines of code.
    """

    def __enter__(self) -> None:
        self._handled_outside = sys.exception()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, removed: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, VtexTrackingError):
            error.__cause__, error.__context__ = None, self._handled_outside
        elif isinstance(error, Exception):
            error.add_note("".join(["Raised in:\n", *traceback.format_tb(removed)]))
        # Python adds no entry for the function that contains the block when it raises the exception again.
        each: BaseException | None = error
        while each is not None and each is not self._handled_outside and each.__traceback__ is not None:
            each.__traceback__ = None
            each = each.__cause__ or each.__context__
