"""From openapi.yaml to the generated client."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from scratch import ROOT, TREE

if TYPE_CHECKING:
    from scratch import Scratch


def test_two_runs_give_identical_bytes(scratch: Scratch) -> None:
    """And those are the ones in this repository."""
    before = scratch.contents()
    shutil.rmtree(scratch.path / TREE)
    for _ in range(2):
        done = scratch.regenerate()
        assert done.returncode == 0, done.stderr
        assert scratch.contents() == before
    assert scratch.regenerate("--check").returncode == 0


def test_check_names_what_differs_and_changes_nothing(scratch: Scratch) -> None:
    """A changed file, a stray one, a missing one."""
    (scratch.path / TREE / "client.py").write_text("# edited by hand\n")
    (scratch.path / TREE / "stray.py").touch()
    (scratch.path / TREE / "py.typed").unlink()
    before = scratch.contents()
    done = scratch.regenerate("--check")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "generated/vtex_oms_client/client.py: changed",
        "generated/vtex_oms_client/py.typed: missing",
        "generated/vtex_oms_client/stray.py: not generated",
        "regenerate: stale, run scripts/regenerate.",
    ]
    assert scratch.contents() == before


def test_another_limit_is_enforced_with_no_other_edit(scratch: Scratch) -> None:
    """5000 becomes 4000 in openapi.yaml alone, and the wrapper refuses 4001 with the new number."""
    scratch.edit("maxLength: 5000", "maxLength: 4000")
    assert scratch.regenerate("--check").returncode == 1
    assert scratch.regenerate().returncode == 0
    code = (
        "from vtex_tracking_ext import *\n"
        "client = TrackingClient('mystore', user_token='MADEUP')\n"
        "try: client.update('1-01', '1', events=[TrackingEvent('2015-06-23', 'x' * 4001)])\n"
        "except InvalidUpdateError as error: print(error)\n"
    )
    assert scratch.run(code) == "events[0].description: 4001 characters, the limit is 4000; shorten it\n"


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
def test_what_cannot_be_generated_leaves_the_old_tree(scratch: Scratch, old: str, new: str, said: str) -> None:
    """It says why and exits with 1; a body that cannot be read does not drop its operation in silence."""
    scratch.edit(old, new)
    before = scratch.contents()
    done = scratch.regenerate()
    assert done.returncode == 1
    assert said in done.stderr
    assert "was left as it was" in done.stderr
    assert scratch.contents() == before


def test_a_missing_contract_is_told(scratch: Scratch) -> None:
    """With its name."""
    scratch.spec.unlink()
    done = scratch.regenerate()
    assert done.returncode == 1
    assert "openapi.yaml cannot be read" in done.stderr


def test_two_values_for_one_constant_are_refused(scratch: Scratch) -> None:
    """A parameter defined twice with other limits would leave one of them unenforced."""
    parameter = "    OrderId:\n      name: orderId\n      in: path\n      required: true\n"
    schema = "      schema: {type: string, maxLength: 5}\n"
    other = parameter.replace("OrderId:", "OtherOrderId:") + schema
    scratch.edit(parameter, other + parameter)
    done = scratch.regenerate()
    assert done.returncode == 1
    assert "two values for the constant ORDER_ID_MAX_LENGTH: 5 and 128" in done.stderr


def test_the_tree_tells_where_it_comes_from() -> None:
    """The hash of openapi.yaml and the tools' versions."""
    provenance = json.loads((ROOT / TREE / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["spec"] == "openapi.yaml"
    assert len(provenance["spec_sha256"]) == 64
    assert set(provenance["tools"]) == {"openapi-python-client", "ruff"}
    assert (ROOT / TREE / "py.typed").exists()
