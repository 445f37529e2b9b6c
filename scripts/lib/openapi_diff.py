"""Compare the facts of two OpenAPI documents: differences, known deviations, and consequences for callers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .openapi_facts import Facts

MISSING = "nothing"

#: Keywords whose changes do not affect which requests are valid.
HARMLESS = {"operationId", "deprecated", "recursive", "writeOnly"}


class Difference(NamedTuple):
    """A fact with different values in the two documents; an absent value is :data:`MISSING`."""

    place: str
    kind: str
    vtex: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.place}: VTEX has {as_text(self.vtex)}, we have {as_text(self.ours)}"


class Deviation(NamedTuple):
    """An entry of x-deviations: a reason for differences at some places.

    Attributes:
        at: Pattern of a place -> VTEX's value there, or :data:`MISSING` for any value.
        kind: ``added``, ``removed`` or ``changed``, from VTEX's document to ours.
        why: The reason.
    """

    at: dict[str, Any]
    kind: str
    why: str

    def covers(self, pattern: str, difference: Difference) -> bool:
        """Return whether one of its patterns covers a difference."""
        return (
            self.kind == difference.kind
            and self.at[pattern] in (MISSING, difference.vtex)
            and re.fullmatch(_regex(pattern), difference.place) is not None
        )

    def __str__(self) -> str:
        first, *others = self.at
        return f"{first}{f' and {len(others)} more' if others else ''}"


def _regex(pattern: str) -> str:
    """Return a pattern as a regular expression: ``*`` matches one step of a place, ``.**`` any number of steps."""
    escaped = re.escape(pattern).replace(r"\.\*\*", r"(\.[^.#]+)*")
    return escaped.replace(r"\*", r"[^.#]+")


def parse_deviations(document: dict[str, Any]) -> list[Deviation]:
    """Return the entries of x-deviations."""
    return [
        Deviation(dict(at) if isinstance(at, dict) else dict.fromkeys(at, MISSING), entry["kind"], entry["why"])
        for entry in document["x-deviations"]
        for at in [entry["at"]]
    ]


def differences(theirs: Facts, ours: Facts) -> list[Difference]:
    """Return the differences, sorted by place.

    A response field that our document does not describe is one difference, whatever its schema.
    """
    found: list[Difference] = []
    for place in sorted(theirs.keys() | ours.keys()):
        vtex, mine = theirs.get(place, MISSING), ours.get(place, MISSING)
        if not _same(vtex, mine) and not _is_within_unread_field(place, theirs, ours):
            found.append(Difference(place, _kind(vtex, mine), vtex, mine))
    return found


def _same(vtex: Any, ours: Any) -> bool:
    return as_text(vtex) == as_text(ours)  # for ==, True is 1


def _kind(vtex: Any, ours: Any) -> str:
    if vtex == MISSING:
        return "added"
    return "removed" if ours == MISSING else "changed"


def _is_within_unread_field(place: str, theirs: Facts, ours: Facts) -> bool:
    """Return whether a place is within a response field that our document does not describe."""
    if ".response." not in place:
        return False
    ends = [found.start() for found in re.finditer(r"[.\[{(#]", place)]
    return any(theirs.get(place[:end]) == "field" and place[:end] not in ours for end in ends)


def as_text(value: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(value, sort_keys=True, default=str)


def consequence(difference: Difference) -> str:
    """Return why a difference breaks callers that follow our document, or an empty text if it does not."""
    thing, _, keyword = difference.place.partition("#")
    if thing.split(".")[0] in {"servers", "security"} or keyword in {"servers", "security"}:
        is_addition = keyword == "others" or (thing.startswith("security.") and difference.kind == "removed")
        return "" if is_addition else "the server address or the credentials changed"
    if not keyword:
        gone = "VTEX does not have it" if "." in thing else "VTEX does not have the operation"
        return gone if difference.kind == "added" else ""
    if keyword in {"type", "mediaType"}:
        return _consequence_of_type(difference, keyword)
    if ".response." in thing:
        return _consequence_for_response(difference, keyword)
    return _consequence_for_request(difference, keyword)


def _consequence_of_type(difference: Difference, keyword: str) -> str:
    if difference.kind != "changed":
        return ""
    if keyword == "type":
        return "its type changed"
    is_supported = _without_parameters(difference.ours) <= _without_parameters(difference.vtex)
    return "" if is_supported else "VTEX no longer supports our media type"


def _without_parameters(media_types: Any) -> set[str]:
    """Return media types without their parameters."""
    return {name.partition(";")[0].strip().lower() for name in media_types}


def _consequence_for_response(difference: Difference, keyword: str) -> str:
    if keyword == "required" and difference.ours is True:
        return "VTEX may now omit it"
    if keyword == "nullable" and difference.ours is False and difference.vtex is True:
        return "VTEX may now send null"
    if keyword in {"anyOf", "oneOf"}:
        return "its type changed"
    return ""


def _consequence_for_request(difference: Difference, keyword: str) -> str:
    if difference.vtex == MISSING or keyword in HARMLESS:
        return ""
    if keyword == "required":
        return "VTEX now requires it" if difference.vtex is True else ""
    if keyword == "nullable":
        return "VTEX no longer accepts null" if difference.ours is True else ""
    if keyword == "default":
        return "VTEX now has a default for it"
    return "VTEX now accepts fewer or other values" if _is_narrower(keyword, difference.vtex, difference.ours) else ""


def _is_narrower(keyword: str, vtex: Any, ours: Any) -> bool:
    """Return whether VTEX's keyword may reject a value that ours accepts."""
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


def group_by_parent(new: list[Difference]) -> Iterator[tuple[Difference, list[Difference]]]:
    """Yield each difference with those that follow from it, such as the type of a removed field."""
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
    return place.startswith(tuple(f"{thing}{separator}" for separator in ".#[{(")) and "#" not in thing
