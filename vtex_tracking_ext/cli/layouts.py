"""Read the layout of a command's files from the profile file and the reading options, and save layouts."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.bulk.input.dates import FORMATS_OF_ORDERS
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.config.profiles import LAYOUTS, Profile, load_layout
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import quoted

from .accounts import profile_file, read_settings
from .profile_writer import replace_profile_file, toml_key, toml_value

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from vtex_tracking_ext.bulk.input.rows import Recognition

_VALUES = ("delimiter", "encoding", "header_row", "sheet", "date_format", "zone")
_FLAGS = ("ignore_unknown", "strict", "visible_only", "clean")


def layout_of(parsed: argparse.Namespace) -> Layout:
    """Return the layout of a command: the named one, or that of the profile, with the reading options added.

    Raises:
        ConfigurationError: There is no such layout, or a value of it cannot be used.
    """
    layout, table = Layout(), None
    path = profile_file(parsed)
    if parsed.layout is None:
        settings = read_settings(parsed)
        table = settings.layout if isinstance(settings, Profile) else None
    name = parsed.layout or (table if isinstance(table, str) else None)
    if name is not None:
        table = load_layout(path, name)
    if isinstance(table, dict):
        try:
            layout = layout.with_options(table)
        except ConfigurationError as error:
            where = f"[{LAYOUTS}.{name}]" if name else "the layout of the profile"
            raise ConfigurationError(f"In the profile file {path}, {where}: {error}") from None
    return layout.with_options(_options(parsed, layout))


def _options(parsed: argparse.Namespace, layout: Layout) -> dict[str, Any]:
    options: dict[str, Any] = {name: getattr(parsed, name) for name in _VALUES if getattr(parsed, name) is not None}
    options |= {name: True for name in _FLAGS if getattr(parsed, name)}
    if parsed.map:
        columns = [column for column, _ in {*parsed.map}]
        twice = next((column for column in columns if columns.count(column) > 1), None)
        if twice is not None:
            raise VtexTrackingError(f"--map: {quoted(twice, 60)} is mapped twice; map it once.")
        options["mapping"] = {**layout.mapping, **dict(parsed.map)}
    if parsed.pad:
        options["pad"] = {**layout.pad, **dict(parsed.pad)}
    if parsed.delivered_when:
        rule: dict[str, list[str]] = {column: [] for column, _ in parsed.delivered_when}
        for column, text in parsed.delivered_when:
            rule[column].append(text)
        options["delivered_when"] = {**layout.delivered_when, **rule}
    return options


def with_recognised(layout: Layout, recognition: Recognition) -> Layout:
    """Return a layout with what was recognised in a file, so that the next file of the kind is read alike.

    That is the field of each column, and the order of day and month; not the delimiter and the encoding, which are
    recognised again.
    """
    options: dict[str, Any] = {"mapping": {name.strip(): field for name, field in recognition.columns if field}}
    options["mapping"] |= layout.mapping
    orders = {*recognition.day_orders.values()}
    if len(orders) == 1 and layout.date_format is None:
        options["date_format"] = FORMATS_OF_ORDERS[orders.pop()]
    return layout.with_options(options)


def save_layout(path: Path, name: str, layout: Layout) -> None:
    """Write a layout to a profile file as ``[layouts.NAME]``, in place of an older one of the name.

    Args:
        path: The profile file; it is created if it does not exist.
        name: The name.
        layout: The layout.

    Raises:
        ConfigurationError: The file cannot be written, or the older layout cannot be replaced.
    """
    path = Path(os.path.realpath(path))
    try:
        text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
        before = tomllib.loads(text)
        if not isinstance(before.get(LAYOUTS, {}), dict):
            raise ConfigurationError(f"In the profile file {path}, {LAYOUTS} is not a table: delete that line.")
        heading, options = f"{LAYOUTS}.{toml_key(name)}", layout.to_options()
        # The table and those in it, without comments behind it, which may be about the next one.
        block = (
            rf"^\[{re.escape(heading)}(?:\..*)?\][ \t]*\n"
            r"(?:(?!\[).*(?:\n|\Z))*?((?:[ \t]*(?:#.*)?\n)*)(?=\[|\Z)"
        )
        text = re.sub(block, r"\1", text, flags=re.MULTILINE)
        lines = [f"{toml_key(key)} = {toml_value(value)}\n" for key, value in options.items()]
        text = f"{text.rstrip()}\n\n[{heading}]\n{''.join(lines)}".lstrip()
        after = tomllib.loads(text)
        is_as_given = after[LAYOUTS][name] == json.loads(json.dumps(options))
        if not is_as_given or _without(after, name) != _without(before, name):
            raise ConfigurationError(
                f"The layout {quoted(name, 60)} cannot replace the older one in the profile file {path}, which is "
                "written in another way. Choose another name, or delete the older one."
            )
        replace_profile_file(path, text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The profile file {path} cannot be written: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"The layout {quoted(name, 60)} cannot be written to the profile file {path}, which is not valid TOML: "
            f"{error}."
        ) from None


def _without(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a document without a layout."""
    layouts = {key: value for key, value in document.get(LAYOUTS, {}).items() if key != name}
    return {
        **{key: value for key, value in document.items() if key != LAYOUTS},
        **({LAYOUTS: layouts} if layouts else {}),
    }
