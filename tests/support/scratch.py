"""A copy of openapi.yaml and its generated tree, to edit and regenerate."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.commands import Ran

ROOT = Path(__file__).resolve().parents[2]
TREE = Path("generated", "vtex_oms_client")


class Scratch:
    """A copy of the contract and its generated tree.

    Args:
        path: Folder of the copy.
        main: Runs scripts/regenerate with some arguments.
    """

    def __init__(self, path: Path, main: Callable[..., Ran]) -> None:
        self.path = path
        self._main = main
        self.spec = path / "openapi.yaml"
        shutil.copy(ROOT / "openapi.yaml", path)
        shutil.copytree(ROOT / TREE, path / TREE, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, old: str, new: str) -> None:
        """Replace a part of the contract's text."""
        text = self.spec.read_text(encoding="utf-8")
        assert old in text
        self.spec.write_text(text.replace(old, new), encoding="utf-8")

    def change(self, change: Callable[[Any], object]) -> None:
        """Edit the contract as a document."""
        # JSON has no anchors: what YAML's anchors share is copied, so that each place can be edited alone.
        document = json.loads(json.dumps(yaml.safe_load(self.spec.read_text(encoding="utf-8"))))
        change(document)
        self.spec.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def regenerate(self, *arguments: str) -> Ran:
        """Run scripts/regenerate on this copy."""
        return self._main("--root", str(self.path), *arguments)

    def contents(self) -> dict[str, bytes]:
        """Return the contents of every generated file."""
        files = (path for path in (self.path / "generated").rglob("*") if path.is_file())
        return {
            path.relative_to(self.path).as_posix(): path.read_bytes()
            for path in files
            if "__pycache__" not in path.parts
        }

    def run(self, code: str) -> str:
        """Run a program with the generated tree, and return its output."""
        path = {"PYTHONPATH": f"{self.path / 'generated'}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=path)
        assert done.returncode == 0, done.stderr
        return done.stdout
