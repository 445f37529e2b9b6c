"""Which changes of the generated client's public names break its callers."""

from __future__ import annotations

import pytest

from lib.breaking_changes import breaking_changes

A = "client.api.orders"
M = "client.models"
C = "client.constants"

#: A client with an operation that passes Sent and Both, and receives Received and Both; no operation uses Unused.
OLD = {
    f"{A}.send.sync": "(order_id: str, *, client: Client, body: Sent, page: int | Unset=UNSET) -> Received | None",
    f"{A}.send.sync_detailed": "(order_id: str, *, client: Client, body: Sent) -> Response[Received]",
    f"{C}.SEND_METHOD": ": Final = 'PUT'",
    f"{C}.SEND_PATH": ": Final = '/orders'",
    f"{C}.PAGE_MAXIMUM": ": Final = 30",
    f"{C}.SENT_NAME_MIN_LENGTH": ": Final = 1",
    f"{C}.SENT_NAME_PATTERN": ": Final = 'a+'",
    f"{C}.RECEIVED_STATE_MAX_LENGTH": ": Final = 9",
    f"{M}.sent.Sent": "()",
    f"{M}.sent.Sent.name": ": str",
    f"{M}.sent.Sent.note": ": str | Unset = UNSET",
    f"{M}.sent.Sent.kind": ": str | Unset = 'a'",
    f"{M}.sent.Sent.both": ": list[Both] | Unset = UNSET",
    f"{M}.received.Received": "()",
    f"{M}.received.Received.state": ": str | Unset = UNSET",
    f"{M}.received.Received.both": ": Both",
    f"{M}.received.Received.color": ": Color",
    f"{M}.color.Color": "(str, Enum)",
    f"{M}.color.Color.RED": " = 'red'",
    f"{M}.both.Both": "()",
    f"{M}.both.Both.size": ": int",
    f"{M}.unused.Unused": "()",
    f"{M}.unused.Unused.size": ": int",
}
REJECTED = "values are rejected that were accepted"


def changed(**changes: str | None) -> dict[str, str]:
    """Return the names after changes; ``sent__Sent__name`` stands for a model's field, None for a removed name."""
    names: dict[str, str | None] = dict(OLD)
    for name, signature in changes.items():
        place = C if name.isupper() else A if name.startswith(("post__", "send__")) else M
        names[f"{place}.{name.replace('__', '.')}"] = signature
    return {name: signature for name, signature in names.items() if signature is not None}


SYNC = OLD[f"{A}.send.sync"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sent__Sent__more": ": str | Unset = UNSET"},
        {"received__Received__more": ": int | Unset = UNSET"},
        {"sent__Sent__name": ": int | str"},
        {"sent__Sent__name": ": str | Unset = UNSET"},
        {"sent__Sent__note": ": int | str | Unset = UNSET"},
        {"received__Received__state": ": Unset = UNSET"},
        {"more__More": "()", "more__More__name": ": str"},
        {"color__Color__BLUE": " = 'blue'"},
        {"send__sync": SYNC.replace("order_id: str", "order_id: int | str")},
        {"send__sync": SYNC.replace("UNSET)", "UNSET, more: str | Unset=UNSET)")},
        {"send__sync": SYNC.replace("Received | None", "Received")},
        {"post__sync": SYNC, "POST_METHOD": ": Final = 'POST'"},
        {"PAGE_MAXIMUM": ": Final = 40"},
        {"SENT_NAME_MIN_LENGTH": ": Final = 0"},
        {"SENT_NAME_PATTERN": None},
        {"SENT_MORE_MAX_LENGTH": ": Final = 5", "sent__Sent__more": ": str | Unset = UNSET"},
        {"RECEIVED_STATE_MAX_LENGTH": ": Final = 3"},
        {"RECEIVED_STATE_MIN_LENGTH": ": Final = 3"},
        {"SEND_PATH": ": Final = '/v2/orders'"},
    ],
    ids=str,
)
def test_additions_and_looser_limits_break_no_caller(changes: dict[str, str | None]) -> None:
    """What callers pass may widen, what they receive may narrow, and there may be more of both."""
    assert breaking_changes(OLD, changed(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"sent__Sent__note": None}, [f"{M}.sent.Sent.note: it was removed"]),
        ({"sent__Sent__note": ": str"}, [f"{M}.sent.Sent.note: callers must now set this field"]),
        ({"sent__Sent__more": ": str"}, [f"{M}.sent.Sent.more: callers must set this new field"]),
        ({"sent__Sent__name": ": int"}, [f"{M}.sent.Sent.name: it no longer accepts str"]),
        ({"sent__Sent__kind": ": str | Unset = 'b'"}, [f"{M}.sent.Sent.kind: its default was 'a', and is 'b'"]),
        ({"received__Received__both": ": Both | None"}, [f"{M}.received.Received.both: it may now be None"]),
        (
            {"both__Both__size": ": str"},
            [f"{M}.both.Both.size: it no longer accepts int", f"{M}.both.Both.size: it may now be str"],
        ),
        (
            {"unused__Unused__size": ": str"},
            [f"{M}.unused.Unused.size: it no longer accepts int", f"{M}.unused.Unused.size: it may now be str"],
        ),
        ({"unused__Unused": None, "unused__Unused__size": None}, [f"{M}.unused.Unused: it was removed"]),
        ({"color__Color__RED": " = 'r'"}, [f"{M}.color.Color.RED: it was = 'red', and is = 'r'"]),
        (
            {"send__sync": SYNC.replace("UNSET)", "UNSET, more: str)")},
            [f"{A}.send: callers must now pass the argument more"],
        ),
        (
            {"send__sync": SYNC.replace("page: int | Unset=UNSET", "page: int")},
            [f"{A}.send: callers must now pass the argument page"],
        ),
        (
            {"send__sync": SYNC.replace("order_id: str, ", "")},
            [f"{A}.send: the argument order_id was removed"],
        ),
        (
            {"send__sync": SYNC.replace("order_id: str", "order_id: int")},
            [f"{A}.send: the argument order_id no longer accepts str"],
        ),
        (
            {"send__sync_detailed": OLD[f"{A}.send.sync_detailed"].replace("[Received]", "[Both | Received]")},
            [f"{A}.send: it may now return Both"],
        ),
        ({"send__sync": None}, [f"{A}.send: a function was removed"]),
        ({"send__sync": None, "send__sync_detailed": None}, [f"{A}.send: the operation was removed"]),
        (
            {
                "send__sync": None,
                "send__sync_detailed": None,
                "SEND_METHOD": None,
                "SEND_PATH": None,
                "post__sync": SYNC,
                "POST_METHOD": ": Final = 'PUT'",
                "POST_PATH": ": Final = '/orders'",
            },
            [f"{A}.send: the operation is now {A}.post"],
        ),
        ({"PAGE_MAXIMUM": ": Final = 20"}, [f"{C}.PAGE_MAXIMUM: it was 30, and is 20: {REJECTED}"]),
        ({"SENT_NAME_MIN_LENGTH": ": Final = 2"}, [f"{C}.SENT_NAME_MIN_LENGTH: it was 1, and is 2: {REJECTED}"]),
        ({"SENT_NAME_PATTERN": ": Final = 'b+'"}, [f"{C}.SENT_NAME_PATTERN: it was 'a+', and is 'b+': {REJECTED}"]),
        ({"SENT_NOTE_MAX_LENGTH": ": Final = 5"}, [f"{C}.SENT_NOTE_MAX_LENGTH: it is a new limit: {REJECTED}"]),
        ({"ORDER_ID_PATTERN": ": Final = 'a'"}, [f"{C}.ORDER_ID_PATTERN: it is a new limit: {REJECTED}"]),
    ],
    ids=str,
)
def test_each_breaking_change_is_named_with_the_reason(changes: dict[str, str | None], broken: list[str]) -> None:
    """The functions of one operation that break for the same reason are one line."""
    assert breaking_changes(OLD, changed(**changes)) == broken
