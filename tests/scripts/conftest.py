"""Fixtures of the scripts' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Return a copy of the contract and its generated tree."""
    return Scratch(tmp_path)
