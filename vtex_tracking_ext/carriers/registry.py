"""The list of sources, and the modules that read them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal, Protocol, cast

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .parcel import Parcel, Scan
    from .payload import Value

#: The name of each source, and the format of its payloads; ``lines`` is a text file. ``sources/`` contains a module and
#: a code table of that name.
SOURCES: Final[Mapping[str, Literal["json", "xml", "lines"]]] = {
    "ocoren": "lines",
    "correios": "json",
    "intelipost": "json",
    "ssw": "json",
    "frenet": "json",
    "melhor_envio": "json",
    "jadlog": "json",
    "total_express": "xml",
    "azul": "json",
    "aftership": "json",
    "easypost": "json",
    "shippo": "json",
    "shipengine": "json",
    "sameday": "json",
    "track17": "json",
    "mandae": "json",
    "gls": "json",
    "dhl": "json",
    "ups": "json",
    "fedex": "json",
    "cargus": "json",
    "loggi": "json",
    "andreani": "json",
    "fancourier": "json",
    "innoship": "json",
    "kangu": "json",
    "servientrega": "xml",
}


class SourceModule(Protocol):
    """The functions of the module of a source, which read its payloads. Each can raise PayloadError."""

    def matches(self, document: Value) -> bool:
        """Return whether a document has the shape of this source."""

    def split(self, document: Value) -> Iterable[Value]:
        """Return the parts of a document, each of which is about one package."""

    def read_parcel(self, value: Value) -> Parcel:
        """Return the package of such a part, with the values of its history."""

    def read_scan(self, value: Value) -> Scan:
        """Return the event of a value of the history."""


def require_source(name: str) -> None:
    """Refuse a name that is not that of a source.

    Raises:
        ConfigurationError: There is no source of this name.
    """
    if name not in SOURCES:
        raise ConfigurationError(f"{quoted(name, 60)} is not a source: use {', '.join(SOURCES)}.")


@cache
def load_source(name: str) -> SourceModule:
    """Return the module of a source.

    Raises:
        ConfigurationError: There is no source of this name.
    """
    require_source(name)
    return cast("SourceModule", import_module(f".sources.{name}", __package__))
