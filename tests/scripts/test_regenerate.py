"""From openapi.yaml to the generated client."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TREE = Path("generated", "vtex_oms_client")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Return a copy of the contract and the tree it was turned into."""
    shutil.copy(ROOT / "openapi.yaml", tmp_path)
    shutil.copytree(ROOT / TREE, tmp_path / TREE, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def regenerate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a scratch tree."""
    command = [sys.executable, str(ROOT / "scripts" / "regenerate"), "--root", str(root), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def edit(root: Path, old: str, new: str) -> None:
    """Change the scratch contract."""
    spec = root / "openapi.yaml"
    text = spec.read_text(encoding="utf-8")
    assert old in text
    spec.write_text(text.replace(old, new), encoding="utf-8")


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of the scratch tree."""
    files = (path for path in (root / "generated").rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files if "__pycache__" not in path.parts}


def test_two_runs_give_identical_bytes(scratch: Path) -> None:
    """And those are the ones in this repository."""
    before = contents(scratch)
    shutil.rmtree(scratch / TREE)
    for _ in range(2):
        done = regenerate(scratch)
        assert done.returncode == 0, done.stderr
        assert contents(scratch) == before
    assert regenerate(scratch, "--check").returncode == 0


def test_check_names_what_differs_and_changes_nothing(scratch: Path) -> None:
    """A changed file, a stray one, a missing one."""
    (scratch / TREE / "client.py").write_text("# edited by hand\n")
    (scratch / TREE / "stray.py").touch()
    (scratch / TREE / "py.typed").unlink()
    before = contents(scratch)
    done = regenerate(scratch, "--check")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "generated/vtex_oms_client/client.py: changed",
        "generated/vtex_oms_client/py.typed: missing",
        "generated/vtex_oms_client/stray.py: not generated",
        "regenerate: stale, run scripts/regenerate.",
    ]
    assert contents(scratch) == before


def test_another_limit_is_enforced_with_no_other_edit(scratch: Path) -> None:
    """5000 becomes 4000 in openapi.yaml alone, and the wrapper refuses 4001 with the new number."""
    edit(scratch, "maxLength: 5000", "maxLength: 4000")
    assert regenerate(scratch, "--check").returncode == 1
    assert regenerate(scratch).returncode == 0
    code = (
        "from vtex_tracking_ext import *\n"
        "client = TrackingClient('mystore', user_token='MADEUP')\n"
        "try: client.update('1-01', '1', events=[TrackingEvent('2015-06-23', 'x' * 4001)])\n"
        "except InvalidUpdateError as error: print(error)\n"
    )
    path = {"PYTHONPATH": f"{scratch / 'generated'}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=path)
    assert done.stdout == "events[0].description: 4001 characters, the limit is 4000; shorten it\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("openapi: 3.1.0", "openapi: [3.1.0", "is not YAML"),
        ("openapi: 3.1.0", "openapi: 3.1.0\nnonsense: 1", "is not a valid OpenAPI document"),
        (
            "          application/json:\n            schema:\n              $ref: '#/components/schemas/SendT",
            "          application/x-unknown:\n            schema:\n              $ref: '#/components/schemas/SendT",
            "the generator failed",
        ),
    ],
)
def test_what_cannot_be_generated_leaves_the_old_tree(scratch: Path, old: str, new: str, said: str) -> None:
    """It says why and exits with 1; a body that cannot be read does not drop its operation in silence."""
    edit(scratch, old, new)
    before = contents(scratch)
    done = regenerate(scratch)
    assert done.returncode == 1
    assert said in done.stderr
    assert "was left as it was" in done.stderr
    assert contents(scratch) == before


def test_a_missing_contract_is_told(scratch: Path) -> None:
    """With its name."""
    (scratch / "openapi.yaml").unlink()
    done = regenerate(scratch)
    assert done.returncode == 1
    assert "openapi.yaml cannot be read" in done.stderr


def test_two_values_for_one_constant_are_refused(scratch: Path) -> None:
    """A parameter defined twice with other limits would leave one of them unenforced."""
    parameter = "    OrderId:\n      name: orderId\n      in: path\n      required: true\n"
    schema = "      schema: {type: string, maxLength: 5}\n"
    other = parameter.replace("OrderId:", "OtherOrderId:") + schema
    edit(scratch, parameter, other + parameter)
    done = regenerate(scratch)
    assert done.returncode == 1
    assert "two values for the constant ORDER_ID_MAX_LENGTH: 5 and 128" in done.stderr


def test_the_tree_tells_where_it_comes_from() -> None:
    """The hash of openapi.yaml and the tools' versions."""
    provenance = json.loads((ROOT / TREE / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["spec"] == "openapi.yaml"
    assert len(provenance["spec_sha256"]) == 64
    assert set(provenance["tools"]) == {"openapi-python-client", "ruff"}
    assert (ROOT / TREE / "py.typed").exists()
