"""The stored results of a run, and how to find one of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .names import PYTHON
from .samples import differences, ratios

if TYPE_CHECKING:
    from collections.abc import Mapping


class Results:
    """The results of a run.

    Args:
        document: The results of the parts that ran.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def calls(self, kind: str, name: str, in_flight: int, events: int = 1) -> list[float] | None:
        """Return the CPU microseconds of an update in each round."""
        wanted = {"kind": kind, "name": name, "in_flight": in_flight, "events": events}
        return self._one("calls", wanted, "microseconds")

    def distant(self, name: str, what: str) -> list[float] | None:
        """Return ``a_second``, ``p50`` or ``p99`` of a subject with the delayed server."""
        return self._one("distant", {"name": name}, what)

    def start(self, name: str, step: str) -> list[float] | None:
        """Return the milliseconds of a start in each round, minus those of bare Python."""
        took = self._one("starts", {"name": name, "step": step}, "milliseconds")
        bare = self._one("starts", {"name": PYTHON, "step": ""}, "milliseconds")
        return differences(took, bare) if took and bare else None

    def push(self, journal: str, name: str, *, coalesced: bool) -> dict[str, Any] | None:
        """Return the record of a push."""
        return self._record("pushes", {"journal": journal, "coalesced": coalesced, "name": name})

    def share(self, journal: str, name: str, *, coalesced: bool) -> list[float] | None:
        """Return the CPU time outside the calls as a share of that of the calls, for each push."""
        push = self.push(journal, name, coalesced=coalesced)
        return ratios(push["other_cpu"], push["http_cpu"]) if push else None

    def plan(self) -> dict[str, Any] | None:
        """Return the record of the planning of a large file."""
        found: dict[str, Any] | None = self.document.get("plan")
        return found

    def _record(self, part: str, wanted: dict[str, Any]) -> dict[str, Any] | None:
        for record in self.document.get(part, ()):
            if wanted.items() <= record.items():
                found: dict[str, Any] = record
                return found
        return None

    def _one(self, part: str, wanted: dict[str, Any], what: str) -> list[float] | None:
        record = self._record(part, wanted)
        return record[what] if record else None


def as_text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON with one line per record."""
    parts = []
    for key, value in document.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n ]"
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
