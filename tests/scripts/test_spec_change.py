"""Changes of openapi.yaml give a working generated client, or an error that leaves the old one unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from vtex_oms_client.constants import EVENT_DESCRIPTION_MAX_LENGTH, PAGE_MAXIMUM

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.commands import Ran
    from support.scratch import Scratch

MODELS = "vtex_oms_client.models"

#: Text that would break, or run in, generated code without proper quoting.
AWKWARD = 'a " and a \' and """; raise SystemExit("ran"); """ and \\ \\N{DASH} \\x \\u12 {{ 1 }} %s \\'

PATTERN = r'^"\d+\\\'"""$'

#: Sends a tracking update with the generated client of the copy, and prints the request.
SEND = """
import httpx, json
from vtex_oms_client import Client
from vtex_oms_client.api.tracking import update_tracking_status
from vtex_oms_client.models import Event, UpdateTrackingStatusRequest
def answer(request):
    print(request.method, request.url.path, json.dumps(json.loads(request.content), sort_keys=True))
    return httpx.Response(200, json={{"date": "2017-03-29", "orderId": "1-01", "receipt": "abc"}})
client = Client("https://mystore.vtexcommercestable.com.br", httpx_args={{"transport": httpx.MockTransport(answer)}})
event = Event(date="2015-06-23", description="Coletado", state="RJ", {event})
body = UpdateTrackingStatusRequest(is_delivered=False, delivered_date=None, events=[event])
print(update_tracking_status.sync("1-01", "7", client=client, body=body).receipt)
"""


def schemas(document: Any) -> Any:
    """Return the schemas of a document."""
    return document["components"]["schemas"]


def report(done: Ran) -> tuple[list[str], list[str]]:
    """Return the lines of a run about the names that changed, and those about the changes that break callers."""
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    written = next(number for number, line in enumerate(lines) if line.startswith("regenerate: "))
    names = [line for line in lines[:written] if " generated/" not in line]
    return names, lines[written + 1 : lines.index("Next:")]


def printed_request(event: str) -> str:
    """Return the output of :data:`SEND` for an event in JSON."""
    return (
        "PUT /api/oms/pvt/orders/1-01/invoice/7/tracking "
        f'{{"deliveredDate": null, "events": [{event}], "isDelivered": false}}\nabc\n'
    )


def test_a_new_field_can_be_sent(scratch: Scratch) -> None:
    """The summary names the field, the generated client sends it, and the wrapper still works."""
    scratch.change(lambda document: schemas(document)["Event"]["properties"].update(zip={"type": "string"}))
    assert report(scratch.regenerate()) == (
        [f"added    {MODELS}.event.Event.zip_: str | Unset = UNSET"],
        ["Breaks no caller."],
    )
    sent = scratch.run(SEND.format(event='city="Rio", zip_="20000"'))
    assert sent == printed_request(
        '{"city": "Rio", "date": "2015-06-23", "description": "Coletado", "state": "RJ", "zip": "20000"}'
    )
    assert "TrackingClient" in scratch.run(
        "import vtex_tracking_ext as v; print(v.TrackingClient('mystore', user_token='MADEUP'))"
    )


def test_a_renamed_field_is_reported_as_removed_and_added(scratch: Scratch) -> None:
    """The summary has both names, and the new one can be sent."""

    def rename(document: Any) -> None:
        event = schemas(document)["Event"]
        event["properties"]["town"] = event["properties"].pop("city")
        event["required"] = [name.replace("city", "town") for name in event["required"]]

    scratch.change(rename)
    assert report(scratch.regenerate()) == (
        [f"removed  {MODELS}.event.Event.city: str", f"added    {MODELS}.event.Event.town: str"],
        [
            "Breaks callers, 2 changes:",
            f"  {MODELS}.event.Event.city: it was removed",
            f"  {MODELS}.event.Event.town: callers must set this new field",
        ],
    )
    assert '"town": "Rio"' in scratch.run(SEND.format(event='town="Rio"'))


def test_a_field_made_required_changes_its_signature(scratch: Scratch) -> None:
    """The summary shows the field without its default."""

    def require(document: Any) -> None:
        schemas(document)["Order"]["required"] = ["orderId"]

    scratch.change(require)
    assert report(scratch.regenerate()) == (
        [
            f"changed  {MODELS}.order.Order.order_id",
            "           from : str | Unset = UNSET",
            "           to   : str",
        ],
        ["Breaks callers, 1 change:", f"  {MODELS}.order.Order.order_id: callers must now set this field"],
    )
    code = "from vtex_oms_client.models import Order\nprint(Order(order_id='1-01').to_dict())"
    assert scratch.run(code) == "{'orderId': '1-01'}\n"


def test_a_changed_limit_is_reported_with_both_values(scratch: Scratch) -> None:
    """A limit of a text or of a number is a constant, and the summary has its old and new value."""
    scratch.edit(f"maxLength: {EVENT_DESCRIPTION_MAX_LENGTH}", "maxLength: 4000")
    scratch.edit(f"maximum: {PAGE_MAXIMUM}", "maximum: 40")
    changed, broken = report(scratch.regenerate())
    assert changed == [
        "changed  vtex_oms_client.constants.EVENT_DESCRIPTION_MAX_LENGTH",
        f"           from : Final = {EVENT_DESCRIPTION_MAX_LENGTH}",
        "           to   : Final = 4000",
        "changed  vtex_oms_client.constants.PAGE_MAXIMUM",
        f"           from : Final = {PAGE_MAXIMUM}",
        "           to   : Final = 40",
    ]
    reason = f"it was {EVENT_DESCRIPTION_MAX_LENGTH}, and is 4000: values are rejected that were accepted"
    assert broken == [
        "Breaks callers, 1 change:",
        f"  vtex_oms_client.constants.EVENT_DESCRIPTION_MAX_LENGTH: {reason}",
    ]


def test_a_new_operation_can_be_called(scratch: Scratch) -> None:
    """The operation has a sync and an async function, and constants for its method and path."""

    def add(document: Any) -> None:
        document["paths"]["/api/oms/pvt/ping"] = {
            "post": {"operationId": "ping", "tags": ["health"], "responses": {"204": {"description": "Alive."}}}
        }

    scratch.change(add)
    done = scratch.regenerate()
    assert done.status == 0, done.err
    summary = done.out
    assert "added    vtex_oms_client.constants.PING_METHOD: Final = 'POST'" in summary
    for name in ("sync_detailed", "asyncio_detailed"):
        assert f"added    vtex_oms_client.api.health.ping.{name}(*, client: AuthenticatedClient | Client)" in summary
    code = (
        "import httpx\nfrom vtex_oms_client import Client\nfrom vtex_oms_client.api.health import ping\n"
        "client = Client('https://a.example', httpx_args={'transport': httpx.MockTransport(lambda request:"
        " httpx.Response(204))})\nprint(ping.sync_detailed(client=client).status_code)\n"
    )
    assert scratch.run(code) == "204\n"


def test_a_removed_operation_is_reported(scratch: Scratch) -> None:
    """The summary names the functions of the operation, and the verdict the operation."""
    scratch.change(lambda document: document["paths"].pop("/api/oms/pvt/orders/{orderId}"))
    changed, broken = report(scratch.regenerate())
    assert any(line.startswith("removed  vtex_oms_client.api.orders.get_order.sync(order_id: str") for line in changed)
    assert "  vtex_oms_client.api.orders.get_order: the operation was removed" in broken


def test_a_renamed_operation_is_reported_with_both_names(scratch: Scratch) -> None:
    """The verdict has one line, although all functions and constants of the operation have new names."""
    scratch.edit("operationId: getOrder\n", "operationId: readOrder\n")
    _, broken = report(scratch.regenerate())
    assert broken == [
        "Breaks callers, 1 change:",
        "  vtex_oms_client.api.orders.get_order: the operation is now vtex_oms_client.api.orders.read_order",
    ]


def test_a_changed_type_breaks_callers(scratch: Scratch) -> None:
    """The verdict says what a field of a request no longer accepts, and what an argument needs."""

    def change(document: Any) -> None:
        schemas(document)["Event"]["properties"]["city"]["type"] = "integer"
        document["components"]["parameters"]["Page"]["required"] = True

    scratch.change(change)
    _, broken = report(scratch.regenerate())
    assert broken == [
        "Breaks callers, 2 changes:",
        "  vtex_oms_client.api.orders.list_orders: callers must now pass the argument page",
        f"  {MODELS}.event.Event.city: it no longer accepts str",
    ]


@pytest.mark.parametrize("name", ["class", "None", "async"])
def test_a_schema_named_like_a_keyword_works(scratch: Scratch, name: str) -> None:
    """The schema and its fields get names that are valid in Python."""

    def add(document: Any) -> None:
        schemas(document)[name] = {"type": "object", "properties": {"from": {"type": "string"}}}
        schemas(document)["Order"]["properties"]["extra"] = {"$ref": f"#/components/schemas/{name}"}

    scratch.change(add)
    done = scratch.regenerate()
    assert done.status == 0, done.err
    code = "from vtex_oms_client.models import *\nprint(Order.from_dict({'extra': {'from': 'x'}}).extra.from_)"
    assert scratch.run(code) == "x\n"


def test_quotes_and_backslashes_stay_text(scratch: Scratch) -> None:
    """Descriptions, names, defaults, enumerations and patterns cannot break or run in the generated code."""

    def add(document: Any) -> None:
        order = schemas(document)["Order"]
        order["description"] = document["info"]["title"] = AWKWARD
        document["components"]["parameters"]["OrderId"]["description"] = AWKWARD
        for item in document["paths"].values():
            for operation in item.values():
                operation.update(summary=AWKWARD, description=AWKWARD)
        order["properties"]["orderId"]["description"] = AWKWARD
        order["properties"]['a"b\\'] = {"type": "string", "pattern": PATTERN}
        order["properties"]["courier"] = {"type": "string", "default": AWKWARD}
        order["properties"]["kind"] = {"type": "string", "enum": ['a"b', "c'd"]}

    scratch.change(add)
    done = scratch.regenerate()
    assert done.status == 0, done.err
    code = (
        "from vtex_oms_client.models import Order\nfrom vtex_oms_client import constants\n"
        "order = Order.from_dict({'a\"b\\\\': 'x', 'kind': 'a\"b'})\n"
        "print(order.to_dict() == {'a\"b\\\\': 'x', 'kind': 'a\"b'}, constants.ORDER_A_B_PATTERN)\n"
    )
    assert scratch.run(code) == f"True {PATTERN}\n"


@pytest.mark.parametrize("name", ["Any", "UNSET", "event"])
def test_a_schema_with_a_colliding_name_is_rejected(scratch: Scratch, name: str) -> None:
    """The name is one of Python's, of the generator's, or of another schema."""

    def add(document: Any) -> None:
        schemas(document)[name] = {"type": "object", "properties": {"a": {"type": "string"}}}
        schemas(document)["Order"]["properties"]["extra"] = {"$ref": f"#/components/schemas/{name}"}

    assert_rejected(scratch, add, name)


@pytest.mark.parametrize("name", ["to_dict", "additional_properties", "d", "cls"])
def test_a_field_with_a_colliding_name_is_rejected(scratch: Scratch, name: str) -> None:
    """The name is one that the generator uses in every model."""
    assert_rejected(
        scratch, lambda document: schemas(document)["Receipt"]["properties"].update({name: {"type": "string"}}), ""
    )


@pytest.mark.parametrize(
    ("media_type", "schema"),
    [("application/x-unknown", {"type": "object"}), ("application/json", {"type": "tuple"})],
)
def test_an_unsupported_body_is_rejected(scratch: Scratch, media_type: str, schema: Any) -> None:
    """The generator would omit the operation with only a warning."""

    def change(document: Any) -> None:
        for item in document["paths"].values():
            for operation in item.values():
                if "requestBody" in operation:
                    operation["requestBody"]["content"] = {media_type: {"schema": schema}}

    assert_rejected(scratch, change, "")


def assert_rejected(scratch: Scratch, change: Callable[[Any], object], message: str) -> None:
    """Change the contract, and check that the command fails and leaves the tree unchanged."""
    scratch.change(change)
    before = scratch.contents()
    done = scratch.regenerate()
    assert done.status == 1, done.out
    assert "is unchanged" in done.err
    assert message in done.err
    assert scratch.contents() == before
