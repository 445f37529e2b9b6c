"""A copy of the contract and the tree it was turned into, to change and regenerate."""

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

ROOT = Path(__file__).resolve().parents[2]
TREE = Path("generated", "vtex_oms_client")


class Scratch:
    """A scratch tree; ``path`` is its folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "openapi.yaml"
        shutil.copy(ROOT / "openapi.yaml", path)
        shutil.copytree(ROOT / TREE, path / TREE, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, old: str, new: str) -> None:
        """Change the contract's text."""
        text = self.spec.read_text(encoding="utf-8")
        assert old in text
        self.spec.write_text(text.replace(old, new), encoding="utf-8")

    def change(self, change: Callable[[Any], object]) -> None:
        """Change the contract as a document."""
        # Through JSON: what YAML's anchors share is then written, and changed, once for each place.
        document = json.loads(json.dumps(yaml.safe_load(self.spec.read_text(encoding="utf-8"))))
        change(document)
        self.spec.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def regenerate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script on this tree."""
        command = [sys.executable, str(ROOT / "scripts" / "regenerate"), "--root", str(self.path), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    def contents(self) -> dict[str, bytes]:
        """Return every generated file."""
        files = (path for path in (self.path / "generated").rglob("*") if path.is_file())
        return {
            path.relative_to(self.path).as_posix(): path.read_bytes()
            for path in files
            if "__pycache__" not in path.parts
        }

    def run(self, code: str) -> str:
        """Run a program against the generated tree and return what it printed."""
        path = {"PYTHONPATH": f"{self.path / 'generated'}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=path)
        assert done.returncode == 0, done.stderr
        return done.stdout
