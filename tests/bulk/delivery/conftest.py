"""A journal, an account, and deliveries between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.deliveries import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Return an empty journal and an account."""
    bench = Bench(tmp_path / "journal.db", monkeypatch)
    with bench.journal:
        yield bench
