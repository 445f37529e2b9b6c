"""scripts/service_bench: what is posted is noted once, and losses are reported."""

from __future__ import annotations

import importlib
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lib.stub_server import stub_server
from vtex_tracking_ext.carriers import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.commands import Ran

TINY = ("--rate", 40, "--seconds", 1, "--connections", 4, "--file")


def test_each_event_is_noted_once(run_script: Callable[..., Ran]) -> None:
    """Each part answers all posts with 200, and has each row or each event of each package once."""
    ran = run_script("service_bench", *TINY)
    bare, unknown, known = ran.out.splitlines()
    assert ran.status == 0
    for line, start in (
        (bare, "bare, file "),
        (unknown, "service, orders unknown, "),
        (known, "service, orders known, "),
    ):
        assert line.startswith(start)
        assert " 40 posts: p50 " in line
        assert ", 0 not 200; " in line
    packages = len({each.package for each in bench().make_webhooks(40, 1, 1)})
    assert packages < 40
    assert bare.endswith("; 40 noted")
    assert unknown.endswith(f"; {4 * packages} noted")
    assert f"; {4 * packages} noted, the last " in known


def test_refused_posts_are_reported(
    run_script: Callable[..., Ran], load_script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service with another secret answers 401: the status is 1."""
    load_script("service_bench")
    monkeypatch.setattr(bench(), "SERVICE_SECRET", "another secret of the service")
    ran = run_script("service_bench", "unknown", *TINY)
    assert ran.status == 1
    line, wrong = ran.out.splitlines()
    assert ", 40 not 200; " in line
    assert wrong == "  WRONG: 40 posts answered with 401"


def test_lost_events_are_reported(
    run_script: Callable[..., Ran], load_script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers 200 and stores nothing loses each event: the status is 1."""
    load_script("service_bench")
    serving = bench().serving

    @contextmanager
    def forgetful(command: list[str], location: str, core: int | None) -> Iterator[tuple[str, Any]]:
        with serving(command, location, core) as (_, process), stub_server() as url:
            yield url, process

    monkeypatch.setattr(bench(), "serving", forgetful)
    ran = run_script("service_bench", "unknown", *TINY)
    packages = len({each.package for each in bench().make_webhooks(40, 1, 1)})
    assert ran.status == 1
    assert ran.out.splitlines()[1:] == [f"  WRONG: {4 * packages} events are missing"]


@pytest.mark.parametrize(
    ("statuses", "noted", "problems"),
    [
        ((200, 200), {"a": 1, "b": 1}, []),
        ((200, 503), {"a": 1}, ["1 posts answered with 503"]),
        ((200, 503), {"a": 1, "b": 1}, ["1 posts answered with 503"]),
        ((200, 0), {"a": 1}, ["1 posts without an answer"]),
        ((200, 200), {"a": 1}, ["1 events are missing"]),
        ((200, 200), {"a": 1, "b": 3}, ["2 events are there more than once"]),
        ((200, 503), {"a": 1, "b": 2}, ["1 posts answered with 503", "1 events are there more than once"]),
    ],
)
def test_problems(
    load_script: Callable[[str], Any], statuses: tuple[int, ...], noted: dict[str, int], problems: list[str]
) -> None:
    """Posts that were not noted, and events that are missing or there twice, are problems.

    An event whose post was not answered with 200 may have been noted all the same.
    """
    load_script("service_bench")
    answers = [importlib.import_module("measure.post_load").Answer(status, 0.1, 1.0) for status in statuses]
    expected = Counter(event for event, status in zip("ab", statuses, strict=True) if status == 200)
    assert bench().Run([], answers, Counter(noted), expected, 0.0).problems() == problems


def test_the_service_reads_the_expected_events(load_script: Callable[[str], Any]) -> None:
    """The ids that the measurement looks for are those that the service reads from the post."""
    load_script("service_bench")
    body = bench().request(7).partition(b"\r\n\r\n")[2]
    assert [event.event_id for event in read("easypost", body).events] == bench().event_ids(7)


def bench() -> Any:
    """Return the module of the measurement."""
    return importlib.import_module("measure.service_bench")
