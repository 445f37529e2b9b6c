"""The code table of a source, and a merchant's changes to it.

A table is a TOML file beside the module of its source::

    version = 1                       # grows with every change of a code's status
    title = "Correios SRO"
    shape = "The answer of GET /srorastro/v1/objetos."
    package = "tracking code"         # what identifies the package
    certainty = "high"                # how sure the shape and the meaning of the codes are
    zone = "America/Sao_Paulo"        # the zone of local times, to which times in UTC are converted; fallback_zone for
                                      # a source that serves many countries: a note says that it was used
    newest_first = true               # the order of a history whose events all have the same time

    [facts]                           # where the meanings of the codes were seen
    guide = "Correios, SRO guide 1.7 (2014)"

    [codes]
    "BDE/01" = { status = "delivered", certainty = "documented", fact = "guide" }

``certainty`` of a code is ``documented`` (the carrier's document or own code), ``observed`` (public code of others) or
``inferred``. Leading zeros of codes do not count: ``01`` and ``1`` are one code. ``D/*`` stands for every code that
begins with ``D/`` and has no line of its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

from attrs import evolve, field, frozen
from vtex_oms_client import constants

from vtex_tracking_ext.config.duration import duration_seconds
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted, trimmed

from .event import Status, code_key

#: Seconds for which a delivery is held where the carrier can take it back.
DEFAULT_HOLD: Final = 3600.0

#: Seconds for which an event waits for its order.
DEFAULT_PARK: Final = 14 * 24 * 3600.0

_STATUSES: Final = {status.value: status for status in Status}


@frozen
class Code:
    """A code of a table.

    Attributes:
        code: The code, as the carrier writes it.
        status: Its meaning.
        certainty: How sure the meaning is: ``documented``, ``observed`` or ``inferred``; ``merchant`` if the profile
            file says it.
        fact: Where the meaning was seen: a key of :attr:`CodeTable.facts`, or ``profile``.
        text: The carrier's own text for the code, for payloads that contain none.
    """

    code: str
    status: Status
    certainty: str
    fact: str
    text: str = ""


def _by_code(texts: Mapping[str, str]) -> dict[str, str]:
    return {code_key(code): text for code, text in texts.items()}


@frozen
class CarrierOptions:
    """A merchant's settings for a source: the table ``[mystore.carriers.NAME]`` of the profile file.

    Attributes:
        statuses: Code -> status, for codes that have another meaning for this merchant, or that the table lacks.
        delivered: The codes that mean a delivery, instead of the codes of the table; None to use those.
        texts: Code -> the text for shoppers, instead of the carrier's.
        zone: The zone of local times, to which times in UTC are converted; None for the zone of the table.
        hold: Seconds for which a delivery is held, because the carrier may take it back; None for
            :data:`DEFAULT_HOLD` if the table has a code for that, and otherwise no hold.
        park: Seconds for which an event waits for its order; 0 if such events are only reported.
    """

    statuses: Mapping[str, Status] = field(factory=dict)
    delivered: frozenset[str] | None = None
    texts: Mapping[str, str] = field(factory=dict, converter=_by_code)
    zone: ZoneInfo | None = None
    hold: float | None = None
    park: float = DEFAULT_PARK


@frozen
class CodeTable:
    """The description of a source, with the meanings of its codes.

    Attributes:
        source: The name of the source.
        version: The version of the table.
        title: The name of the source for people.
        shape: The shape of its payloads, in words.
        package: The values of a payload that identify the package, in words.
        certainty: How sure the shape and the meanings of the codes are: ``high``, ``good`` or ``low``.
        zone: The zone of local times, to which times in UTC are converted; None if it is unknown.
        fallback_zone: The zone to which times in UTC are converted if ``zone`` is None; a note says so.
        newest_first: Whether histories list the newest event first.
        facts: Name -> where meanings of codes were seen.
        codes: The codes, by :func:`code_key`.
    """

    source: str
    version: int
    title: str
    shape: str
    package: str
    certainty: str
    zone: ZoneInfo | None
    fallback_zone: ZoneInfo | None
    newest_first: bool
    facts: Mapping[str, str]
    codes: Mapping[str, Code]

    @property
    def delivered(self) -> tuple[str, ...]:
        """The codes that mean a delivery."""
        return tuple(code.code for code in self.codes.values() if code.status is Status.DELIVERED)

    @property
    def can_take_back(self) -> bool:
        """Whether the carrier can take a delivery back, because a code declares the event before it void."""
        return any(code.status is Status.CORRECTION for code in self.codes.values())

    def status(self, code: str) -> Status | None:
        """Return the meaning of a code, or None if the table does not contain the code."""
        found = self._find(code)
        return None if found is None else found.status

    def text(self, code: str) -> str:
        """Return the carrier's text for a code, or an empty text."""
        found = self._find(code)
        return "" if found is None else found.text

    def _find(self, code: str) -> Code | None:
        key = code_key(code)
        return self.codes.get(key) or self.codes.get(f"{key.partition('/')[0]}/*")

    def with_options(self, options: CarrierOptions) -> CodeTable:
        """Return the table with a merchant's changes.

        If the merchant names the codes of deliveries, no other code means a delivery, because a code that the merchant
        left out means something else there.
        """
        codes = dict(self.codes)
        statuses = dict(options.statuses)
        if options.delivered is not None:
            keys = {code_key(code) for code in (*options.delivered, *statuses)}
            statuses |= {code: Status.UNKNOWN for code in self.delivered if code_key(code) not in keys}
            statuses |= dict.fromkeys(options.delivered, Status.DELIVERED)
        for code, status in statuses.items():
            known = codes.get(code_key(code))
            if known is None or known.status is not status:
                name, text = (code, "") if known is None else (known.code, known.text)
                codes[code_key(code)] = Code(name, status, "merchant", "profile", text)
        return evolve(self, codes=codes, zone=options.zone or self.zone)


@cache
def load_table(source: str) -> CodeTable:
    """Return the code table of a source.

    Args:
        source: One of :data:`~.registry.SOURCES`.
    """
    text = resources.files(f"{__package__}.sources").joinpath(f"{source}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    codes = {code_key(code): _code(code, line) for code, line in table["codes"].items()}
    return CodeTable(
        source,
        table["version"],
        table["title"],
        table["shape"],
        table["package"],
        table["certainty"],
        _zone(table, "zone"),
        _zone(table, "fallback_zone"),
        table.get("newest_first", False),
        table["facts"],
        codes,
    )


def _zone(table: Mapping[str, Any], key: str) -> ZoneInfo | None:
    return ZoneInfo(table[key]) if key in table else None


def _code(code: str, line: Mapping[str, str]) -> Code:
    return Code(code, _STATUSES[line["status"]], line["certainty"], line["fact"], line.get("text", ""))


def parse_options(source: str, table: Mapping[str, Any]) -> CarrierOptions:
    """Return the options of a source from its table in the profile file.

    Keys are the statuses, each with a list of codes, such as ``delivered = ["01", "24"]``; ``texts``, a table of texts
    by code; ``zone``; ``hold``, such as ``"2h"``, or ``"0"`` to send deliveries at once; and ``park``, such as
    ``"14d"``, or ``"0"`` to report events of no known order without keeping them.

    Raises:
        ConfigurationError: A key is unknown, or a value cannot be used.
    """
    statuses: dict[str, tuple[str, Status]] = {}
    texts: Mapping[str, str] = {}
    zone, hold, park = None, None, DEFAULT_PARK
    for key, value in table.items():
        where = f"carriers.{source}: {quoted(key, 60)}"
        if key in _STATUSES:
            for code in _codes(where, value):
                name, status = statuses.setdefault(code_key(code), (code, _STATUSES[key]))
                if status is not _STATUSES[key]:
                    raise ConfigurationError(
                        f"carriers.{source}: the code {quoted(name, 60)} has two statuses; give it one."
                    )
        elif key == "texts":
            texts = _texts(where, value)
        elif key == "zone":
            zone = parse_zone(value)
        elif key == "hold":
            hold = _duration(where, value)
        elif key == "park":
            park = _duration(where, value)
        else:
            known = ", ".join(("texts", "zone", "hold", "park", *_STATUSES))
            raise ConfigurationError(f"{where} is not a setting; use {known}.")
    delivered = frozenset(code for code, status in statuses.values() if status is Status.DELIVERED)
    others = {code: status for code, status in statuses.values() if status is not Status.DELIVERED}
    return CarrierOptions(others, delivered if Status.DELIVERED in table else None, texts, zone, hold, park)


def parse_zone(value: object) -> ZoneInfo:
    """Return a time zone by its name.

    Raises:
        ConfigurationError: This system knows no zone of that name.
    """
    try:
        return ZoneInfo(str(value))
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ConfigurationError(
            f"zone is {quoted(value, 60)}, which is not known here: give a name such as America/Sao_Paulo. On a "
            "system without a time zone database: pip install tzdata."
        ) from None


def _codes(where: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(code, str) and code for code in value):
        return tuple(value)
    raise ConfigurationError(f'{where}: give a list of codes, each between quotes, such as ["01", "24"].')


def _texts(where: str, value: object) -> Mapping[str, str]:
    if isinstance(value, Mapping) and all(map(_is_description, value.values())):
        return value
    raise ConfigurationError(
        f"{where}: give a table with the text of each code, of at most {constants.EVENT_DESCRIPTION_MAX_LENGTH} "
        "printable characters."
    )


def _is_description(value: object) -> bool:
    """Return whether VTEX accepts a value as the description of an event."""
    return (
        isinstance(value, str)
        and bool(trimmed(value))
        and value.isprintable()
        and len(value) <= constants.EVENT_DESCRIPTION_MAX_LENGTH
    )


def _duration(where: str, value: object) -> float:
    try:
        return 0.0 if value == "0" else duration_seconds(str(value))
    except ValueError as error:
        raise ConfigurationError(f"{where} is {error}, or off.") from None
