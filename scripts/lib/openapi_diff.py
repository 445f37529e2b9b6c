"""Two lists of facts held against each other: what differs, why that is known, and whether it breaks callers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lib.openapi_facts import Facts

MISSING = "nothing"

#: Facts that may change without an effect on what may be sent.
HARMLESS = {"operationId", "deprecated", "recursive", "writeOnly"}


class Difference(NamedTuple):
    """One fact on which the two documents differ; a side that says nothing has the value :data:`MISSING`."""

    place: str
    kind: str
    vtex: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.place}: VTEX has {shown(self.vtex)}, we have {shown(self.ours)}"


class Deviation(NamedTuple):
    """One entry of x-deviations: why the two documents differ at some places.

    Attributes:
        at: Patterns of places, each with VTEX's value there, or :data:`MISSING` where any is covered.
        kind: ``added``, ``removed`` or ``changed``, as seen from here.
        why: The reason.
    """

    at: dict[str, Any]
    kind: str
    why: str

    def covers(self, pattern: str, difference: Difference) -> bool:
        """Tell whether it is, by one of its patterns, the reason for a difference."""
        return (
            self.kind == difference.kind
            and self.at[pattern] in (MISSING, difference.vtex)
            and re.fullmatch(_regex(pattern), difference.place) is not None
        )

    def __str__(self) -> str:
        first, *others = self.at
        return f"{first}{f' and {len(others)} more' if others else ''}"


def _regex(pattern: str) -> str:
    """Return a place's pattern as a regular expression: ``*`` is one step, ``.**`` is any number of them."""
    escaped = re.escape(pattern).replace(r"\.\*\*", r"(\.[^.#]+)*")
    return escaped.replace(r"\*", r"[^.#]+")


def deviations(document: dict[str, Any]) -> list[Deviation]:
    """Return x-deviations."""
    return [
        Deviation(dict(at) if isinstance(at, dict) else dict.fromkeys(at, MISSING), entry["kind"], entry["why"])
        for entry in document["x-deviations"]
        for at in [entry["at"]]
    ]


def differences(theirs: Facts, ours: Facts) -> list[Difference]:
    """Return the facts that differ, in the order of their places.

    A field of an answer that we do not describe is one difference, whatever stands in it: nobody here reads it.
    """
    found: list[Difference] = []
    for place in sorted(theirs.keys() | ours.keys()):
        vtex, mine = theirs.get(place, MISSING), ours.get(place, MISSING)
        if not _same(vtex, mine) and not _unread(place, theirs, ours):
            found.append(Difference(place, _kind(vtex, mine), vtex, mine))
    return found


def _same(vtex: Any, ours: Any) -> bool:
    # Not by ==, to which True is 1.
    return shown(vtex) == shown(ours)


def _kind(vtex: Any, ours: Any) -> str:
    if vtex == MISSING:
        return "added"
    return "removed" if ours == MISSING else "changed"


def _unread(place: str, theirs: Facts, ours: Facts) -> bool:
    """Tell whether a place lies within a field of an answer that ours does not describe."""
    if ".response." not in place:
        return False
    ends = [found.start() for found in re.finditer(r"[.\[{(#]", place)]
    return any(theirs.get(place[:end]) == "field" and place[:end] not in ours for end in ends)


def shown(value: Any) -> str:
    """Return a value as text."""
    return json.dumps(value, sort_keys=True, default=str)


def breaks(difference: Difference) -> str:
    """Tell why a difference breaks those who call VTEX by our contract, or return an empty text."""
    thing, _, keyword = difference.place.partition("#")
    if thing.split(".")[0] in {"servers", "security"} or keyword in {"servers", "security"}:
        further = keyword == "others" or (thing.startswith("security.") and difference.kind == "removed")
        return "" if further else "where or as whom to call changed"
    if not keyword:
        gone = "VTEX no longer has it" if "." in thing else "VTEX no longer has the operation"
        return gone if difference.kind == "added" else ""
    if keyword in {"type", "mediaType"}:
        return _breaks_both(difference, keyword)
    if ".response." in thing:
        return _breaks_readers(difference, keyword)
    return _breaks_senders(difference, keyword)


def _breaks_both(difference: Difference, keyword: str) -> str:
    if difference.kind != "changed":
        return ""
    if keyword == "type":
        return "its type changed"
    return "" if _bare(difference.ours) <= _bare(difference.vtex) else "VTEX no longer speaks our media type"


def _bare(media_types: Any) -> set[str]:
    """Return media types without their parameters."""
    return {name.partition(";")[0].strip().lower() for name in media_types}


def _breaks_readers(difference: Difference, keyword: str) -> str:
    if keyword == "required" and difference.ours is True:
        return "VTEX may now leave it out"
    if keyword == "nullable" and difference.ours is False and difference.vtex is True:
        return "VTEX may now send null"
    if keyword in {"anyOf", "oneOf"}:
        return "its type changed"
    return ""


def _breaks_senders(difference: Difference, keyword: str) -> str:
    if difference.vtex == MISSING or keyword in HARMLESS:
        return ""
    if keyword == "required":
        return "VTEX now requires it" if difference.vtex is True else ""
    if keyword == "nullable":
        return "VTEX no longer takes null" if difference.ours is True else ""
    if keyword == "default":
        return "VTEX fills it in where it is left out"
    return "VTEX now takes less, or other, values" if _narrower(keyword, difference.vtex, difference.ours) else ""


def _narrower(keyword: str, vtex: Any, ours: Any) -> bool:
    """Tell whether a limit of VTEX's may refuse what ours lets pass."""
    if ours == MISSING:
        return True
    try:
        if keyword.startswith("max"):
            return bool(vtex < ours)
        if keyword.startswith("min"):
            return bool(vtex > ours)
    except TypeError:
        return True
    return not (keyword == "enum" and all(value in vtex for value in ours))


def folded(new: list[Difference]) -> Iterator[tuple[Difference, list[Difference]]]:
    """Yield each difference with those that only follow from it: what is gone has no type either."""
    parts: list[Difference] = []
    head = None
    for difference in new:
        if head and difference.kind == head.kind != "changed" and _is_within(difference.place, head.place):
            parts.append(difference)
            continue
        if head:
            yield head, parts
        head, parts = difference, []
    if head:
        yield head, parts


def _is_within(place: str, thing: str) -> bool:
    return place.startswith(tuple(f"{thing}{sign}" for sign in ".#[{(")) and "#" not in thing
