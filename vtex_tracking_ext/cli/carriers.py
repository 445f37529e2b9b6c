"""The command carriers: the sources whose payloads can be read, and their code tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import asdict

from vtex_tracking_ext.carriers import SOURCES, load_table

from .carrier_settings import carrier_options
from .exit_codes import ExitCode
from .output import say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from vtex_tracking_ext.carriers import CodeTable


def carriers(parsed: argparse.Namespace) -> ExitCode:
    """Print the sources, or the code table of one."""
    names = SOURCES if parsed.source is None else (parsed.source,)
    tables = [load_table(name).with_options(carrier_options(parsed, name)) for name in names]
    if parsed.json:
        for table in tables:
            say_json("source", _document(table, has_codes=parsed.source is not None))
    elif parsed.source is None:
        say("\n".join(_list_lines(tables)), "table")
    else:
        say("\n".join(_table_lines(tables[0])), "table")
    return ExitCode.OK


def _delivered(table: CodeTable) -> str:
    own = f"none is public; name them in [STORE.carriers.{table.source}] of the profile file"
    return ", ".join(table.delivered) or own


def _list_lines(tables: list[CodeTable]) -> list[str]:
    rows = [("SOURCE", "CARRIER", "CERTAINTY", "DELIVERED CODES")]
    rows += [(table.source, table.title, table.certainty, _delivered(table)) for table in tables]
    return [
        *_aligned(rows),
        "",
        (
            "vtex-tracking carriers SOURCE prints a code table. Certainty: how sure the shape and the codes are. No "
            "source was compared with the carrier's live service."
        ),
    ]


def _table_lines(table: CodeTable) -> list[str]:
    zone = table.zone or table.fallback_zone
    rows = [("CODE", "STATUS", "CERTAINTY", "SEEN IN", "TEXT")]
    rows += [(each.code, each.status.value, each.certainty, each.fact, each.text) for each in table.codes.values()]
    return [
        f"{table.title} ({table.source}), version {table.version} of the table",
        f"Payload: {table.shape}.",
        f"Package: {table.package}.",
        f"Certainty: {table.certainty}.",
        *([f"Zone of its times: {zone.key}."] if zone else []),
        f"Delivered: {_delivered(table)}.",
        "",
        *_aligned(rows),
        "",
        *(f"{name}: {fact}." for name, fact in table.facts.items()),
        (
            f"Any other code is an event, but not a delivery. [STORE.carriers.{table.source}] in the profile file "
            "says what codes mean for a store."
        ),
    ]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines whose columns are aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _document(table: CodeTable, *, has_codes: bool) -> dict[str, object]:
    document: dict[str, object] = {
        "name": table.source,
        "title": table.title,
        "version": table.version,
        "shape": table.shape,
        "package": table.package,
        "certainty": table.certainty,
        "delivered": list(table.delivered),
        "facts": dict(table.facts),
    }
    if has_codes:
        document["codes"] = [asdict(code) for code in table.codes.values()]
    return document
